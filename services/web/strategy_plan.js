// What a strategy was told to do, in words, and which sites it leaves out.

import { h } from "./dom.js";
import { full, number, plural, seconds } from "./model/format.js";
import { aim, extent, policy, selected } from "./model/plan_words.js";
import { table } from "./page.js";

/** "Update shop to 1.5.0 · 1,000 sites in 3 stages · created …" */
export function subtitle(roll) {
  const { spec, created_at } = roll.facts;
  if (!spec) return h("p", { class: "muted" });
  const size = roll.stages.length > 0 && extent(roll.sites, roll.stages.length, roll.facts.excluded_count);
  return h(
    "p",
    { class: "muted" },
    [aim(roll.facts), size, `created ${full(created_at)}`].filter(Boolean).join("  ·  "),
    spec.description && h("span", { class: "description" }, spec.description),
    spec.undo && h("a", { href: `#/strategies/${encodeURIComponent(spec.undo)}` }, "The strategy that it undoes"),
  );
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
