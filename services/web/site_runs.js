// All apps of a site brought up to date or taken back, with one report; and what is not as it was left.

import { command, get } from "./api.js";
import { badge } from "./badge.js";
import { fill, h, throttled } from "./dom.js";
import { act, done, roleButton } from "./feedback.js";
import { checkbox, field, input, select } from "./fields.js";
import { folded, valuesOf } from "./folded.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { full, words } from "./model/format.js";
import { runOf } from "./model/orders.js";
import { foundOf } from "./model/story.js";
import { card, heading, resource, section, table } from "./page.js";
import { since } from "./times.js";

export const RUN_NEWS = ["site_run_changed", "drift_found", "drift_ended"];

const KINDS = [
  ["update", "Update: each to its newest allowed release, critical ones first"],
  ["rollback", "Roll back: each to the release before, in the reverse order"],
];

const runForm = (site) =>
  folded("Update all apps, or take them back", {
    verb: "Run it",
    fields: [
      h(
        "div",
        { class: "row" },
        field("kind", "What", select("kind", KINDS)),
        field("apps", "Apps", input("apps"), "By name; empty = all of them"),
        field(
          "timeout_seconds",
          "Time for one app, in seconds",
          input("timeout_seconds"),
          "Empty = as its release says, else an hour",
        ),
      ),
      checkbox("go_on", "Go on with the others where one fails"),
      checkbox("prereleases", "Take pre-releases, too"),
    ],
    send: async (form) => {
      const run = runOf(valuesOf(form));
      await command("POST", at("/v1/sites/{site}/run-all", site), run, `${run.kind} of all apps on ${site}`);
      done(`${run.kind} of all apps on ${site} has begun`);
    },
  });

/** The last run over the apps of a site as its report, and what may be asked for. */
export function runSection(site, [run]) {
  return section(
    "All apps",
    runForm(site),
    run &&
      h(
        "p",
        {},
        badge(run.state),
        ` The last ${run.kind} of all apps, `,
        when(run),
        run.cause && `: ${run.cause.message}`,
      ),
    run?.actions.includes("cancel") && stop(run),
    run && report(run),
  );
}

/** One run, wherever a notification or the audit leads to it. */
export function siteRunView(page) {
  const body = h("div");
  page.root.append(body);
  const load = resource(
    page,
    body,
    () => get(at("/v1/site-runs/{run_id}", page.params.id), {}, page.signal),
    (run) => fill(body, detail(run)),
  );
  on(["site_run_changed"], throttled(load, 300), page.signal);
}

const detail = (run) => [
  heading(
    `${run.kind === "rollback" ? "Roll back" : run.kind[0].toUpperCase() + run.kind.slice(1)} all apps of ${run.site}`,
    {
      back: { href: `#/sites/${encodeURIComponent(run.site)}`, text: run.site },
      actions: run.actions.includes("cancel") ? [stop(run)] : [],
    },
  ),
  card([
    ["State", badge(run.state)],
    ["Why", run.cause?.message],
    ["Asked for by", run.requested_by],
    ["Began", full(run.started_at)],
    ["Ended", full(run.finished_at)],
  ]),
  section("Apps", report(run)),
];

const when = (run) => h("a", { href: `#/site-runs/${encodeURIComponent(run.run_id)}` }, since(run.started_at));

const stop = (run) =>
  roleButton("Stop this run", "operator", (button) =>
    act(button, `Stopping: ${run.site}`, "POST", at("/v1/site-runs/{run_id}/cancel", run.run_id), {}),
  );

const report = (run) =>
  table(
    [
      ["App", ({ app }) => app],
      ["State", ({ state }) => badge(state)],
      [
        "Operation",
        ({ operation_id: id, kind }) => id && h("a", { href: `#/operations/${encodeURIComponent(id)}` }, kind),
      ],
      ["From", ({ from_version: from }) => from ?? ""],
      ["To", ({ to_version: to }) => to ?? ""],
      ["Why", ({ cause }) => cause?.message ?? ""],
    ],
    run.items,
    "What became of each app",
  );

/** What is not as it was left on a site; nothing where all is. */
export function driftSection(found) {
  if (!found.length) return null;
  return section("Not as it was left", driftTable(found));
}

const THEN = {
  told: "told, and left so",
  put_right: "is being put right",
  given_up: "was given up: a person is needed",
};

/** What was found otherwise than it was left, and what follows. */
export const driftTable = (found) =>
  table(
    [
      ["App", ({ app }) => h("a", { href: `#/apps/${encodeURIComponent(app)}` }, app)],
      ["Site", ({ site }) => h("a", { href: `#/sites/${encodeURIComponent(site)}` }, site)],
      ["What", ({ components }) => components.map((each) => h("div", {}, foundOf(each)))],
      ["Then", ({ then }) => THEN[then] ?? words(then)],
      ["Found", ({ found_at: when }) => since(when)],
    ],
    found,
    "Apps that are not as they were left",
  );
