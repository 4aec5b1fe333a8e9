// What a strategy was told to do, in words, and which sites it leaves out.

import { h } from "./dom.js";
import { full, number, plural, seconds, words } from "./format.js";
import { table } from "./page.js";

/** "Update shop to 1.5.0 · 1,000 sites in 3 stages · created …" */
export function subtitle(roll) {
  const { spec, created_at } = roll.facts;
  if (!spec) return h("p", { class: "muted" });
  const type = spec.undo ? "undo" : words(spec.type);
  const goal = spec.version ?? ways(roll.facts.targets);
  const release = `${type[0].toUpperCase()}${type.slice(1)} ${spec.app}${goal ? ` to ${goal}` : ""}`;
  const out = roll.facts.excluded_count;
  const part = out ? `${number(roll.sites)} of ${plural(roll.sites + out, "site")}` : plural(roll.sites, "site");
  const size = `${part} in ${plural(roll.stages.length, "stage")}${out ? `, ${number(out)} left out` : ""}`;
  return h(
    "p",
    { class: "muted" },
    [release, size, `created ${full(created_at)}`].join("  ·  "),
    spec.description && h("span", { class: "description" }, spec.description),
    spec.undo && h("a", { href: `#/strategies/${encodeURIComponent(spec.undo)}` }, "The strategy that it undoes"),
  );
}

/** "1.0 (4 sites), 1.1 (2 sites)": where each site has its own release to reach. */
function ways(targets = []) {
  return targets.map(({ version, sites }) => `${version} (${plural(sites, "site")})`).join(", ");
}

/** The settings, folded. */
export function settings({ strategy_id, spec, started_at, finished_at }) {
  if (!spec) return null;
  return h(
    "details",
    { class: "card" },
    h("summary", {}, "Settings"),
    h(
      "dl",
      { class: "facts" },
      pairs({
        Selection: selected(spec.selection),
        "Max parallel": spec.apply_type === "serial" ? "one after another" : spec.max_parallel,
        "On failure": policy(spec.on_failure ?? {}),
        "Time for one site": seconds(spec.step_timeout_seconds),
        Force: spec.force ? "sites that run the release already are done again" : "",
        Started: full(started_at),
        Finished: full(finished_at),
        Id: strategy_id,
      }),
    ),
  );
}

const pairs = (facts) =>
  Object.entries(facts)
    .filter(([, text]) => text)
    .map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(text))));

function selected({ all = false, exclude = {}, ...wanted }) {
  const parts = chosen(wanted, " and ");
  const without = chosen(exclude, ", ");
  return (parts || (all ? "the whole fleet" : "")) + (without && ` without ${without}`);
}

function chosen({ sites = [], groups = [], labels = {} }, joint) {
  const names = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const parts = [
    groups.length && `groups ${groups.join(", ")}`,
    names.length && `labels ${names.join(", ")}`,
    sites.length && plural(sites.length, "named site"),
  ];
  return parts.filter(Boolean).join(joint);
}

function policy({ stop_on_failure: first = true, threshold, min_sample: sample, then, heed_monitor: heed }) {
  const end = then === "pause" ? "pause and wait for a person" : "end the strategy";
  const when = first
    ? "the first failed site"
    : threshold
      ? limited(threshold, sample)
      : "only a stage in which every site failed";
  const sentence = `${when}: ${end}`;
  return heed ? `${sentence}; pauses when the monitor finds the failure rate high` : sentence;
}

/** A number is how many failures stop it, a per cent what a stage bears. */
function limited(threshold, sample) {
  const share = String(threshold).endsWith("%");
  if (!share) return `${threshold} failed sites of a stage`;
  return `more than ${threshold} of a stage's sites failed${sample > 1 ? `, once ${sample} have finished` : ""}`;
}

/** How the sites of each stage are spread over groups, or over the values of a label. */
export function spreading({ spec, stages = [] }) {
  if (!stages.some(({ spread = [] }) => spread.some(({ of }) => of))) return null;
  const over = spec?.spread ? `label ${spec.spread}` : "groups";
  const share = ({ of, sites }) => `${of || "none"} ${number(sites)}`;
  const columns = [
    ["Stage", (row) => row.name],
    [
      "Sites",
      (row) => number(row.spread.reduce((sum, { sites }) => sum + sites, 0)) + (row.spread_more ? " and more" : ""),
    ],
    [
      `By ${over}`,
      (row) => [...row.spread.map(share), row.spread_more && `${row.spread_more} more`].filter(Boolean).join(", "),
    ],
  ];
  return h(
    "details",
    { class: "card" },
    h("summary", {}, `Stages spread over ${over}`),
    table(columns, stages, "Spread"),
  );
}

const FEW = 10;

/** Sites that take no part, each with the reason. */
export function excludedSites({ excluded = [], excluded_count: count }) {
  if (!count) return null;
  const columns = [
    ["Site", (row) => h("a", { href: `#/sites/${encodeURIComponent(row.site)}` }, row.site)],
    ["Why", (row) => row.message],
  ];
  const more = count > excluded.length && h("p", { class: "muted" }, `… and ${number(count - excluded.length)} more`);
  return h(
    "details",
    { class: "card", open: count <= FEW },
    h("summary", {}, `${plural(count, "site")} left out`),
    table(columns, excluded, "Sites left out"),
    more,
  );
}
