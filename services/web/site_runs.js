// All apps of a site brought up to date or taken back, with one report; and what is not as it was left.

import { badge } from "./badge.js";
import { h } from "./dom.js";
import { act, confirm, roleButton } from "./feedback.js";
import { ago, full } from "./model/format.js";
import { section, table } from "./page.js";

export const RUN_NEWS = ["site_run_changed", "drift_found", "drift_ended"];

const ASKED = {
  update: {
    title: "Update all apps?",
    text: "One after the other, critical ones first, each to its newest allowed release.",
    verb: "Update all",
  },
  rollback: {
    title: "Take all apps back?",
    text: "One after the other, each to the release before, in the reverse order of an update.",
    verb: "Roll back all",
  },
};

const runAll = (site, kind) =>
  roleButton(ASKED[kind].verb, "operator", async (button) => {
    if (!(await confirm(ASKED[kind]))) return;
    await act(button, `${ASKED[kind].verb}: ${site}`, "POST", `/v1/sites/${encodeURIComponent(site)}/run-all`, {
      kind,
    });
  });

/** The last run over the apps of a site as its report, and what may be asked for. */
export function runSection(site, [run]) {
  return section(
    "All apps",
    h("div", { class: "actions" }, runAll(site, "update"), runAll(site, "rollback")),
    run &&
      h("p", {}, badge(run.state), ` ${run.kind} `, when(run), run.cause && h("span", {}, `: ${run.cause.message}`)),
    run?.actions.includes("cancel") && stop(run),
    run && report(run),
  );
}

const when = (run) => h("span", { class: "muted", title: full(run.started_at) }, ago(run.started_at));

const stop = (run) =>
  roleButton("Stop this run", "operator", (button) =>
    act(button, `Stopping: ${run.site}`, "POST", `/v1/site-runs/${encodeURIComponent(run.run_id)}/cancel`, {}),
  );

const report = (run) =>
  table(
    [
      ["App", ({ app }) => app],
      ["State", ({ state }) => badge(state)],
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
  return section(
    "Not as it was left",
    table(
      [
        ["App", ({ app }) => app],
        [
          "What",
          ({ components }) => components.map((each) => h("div", {}, `${each.component} ${each.message}`.trim())),
        ],
        ["Then", ({ then }) => then.replace("_", " ")],
        ["Found", ({ found_at: at }) => h("span", { title: full(at) }, ago(at))],
      ],
      found,
      "Apps that are not as they were left",
    ),
  );
}
