// One app: what is done by itself with it, what failed, what is not as it was left, what is set for it, who signs it.

import { all, command, get } from "./api.js";
import { appKeys } from "./app_keys.js";
import { appOverrides } from "./app_overrides.js";
import { badge } from "./badge.js";
import { fill, h, throttled } from "./dom.js";
import { act, confirm, done, roleButton } from "./feedback.js";
import { field, input, select, textarea } from "./fields.js";
import { folded, inUse, valuesOf } from "./folded.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { behaviourOf, SWITCHES, saidOf, shownAs } from "./model/behaviour.js";
import { names } from "./model/entered.js";
import { plural } from "./model/format.js";
import { card, heading, resource, section, table } from "./page.js";
import { driftTable } from "./site_runs.js";
import { since } from "./times.js";

const NEWS = [
  "behaviour_changed",
  "failed_release_changed",
  "drift_found",
  "drift_ended",
  "overrides_changed",
  "signing_key_changed",
  "signing_key_removed",
];

export function appView(page) {
  const { app } = page.params;
  const body = h("div");
  page.root.append(body);
  const read = () =>
    Promise.all([
      all("/v1/behaviours", {}, page.signal),
      all("/v1/failed-releases", { app }, page.signal),
      all("/v1/drift", { app }, page.signal),
      all(at("/v1/apps/{app}/overrides", app), {}, page.signal),
      get(at("/v1/apps/{app}/keys", app), {}, page.signal),
      all("/v1/releases", { app }, page.signal),
    ]);
  const load = throttled(
    resource(page, body, read, (found) => inUse(body) || fill(body, detail(app, found))),
    300,
  );
  body.addEventListener("toggle", () => inUse(body) || load(), true);
  on(NEWS, load, page.signal);
}

function detail(app, [behaviours, failed, drift, overrides, keys, releases]) {
  const behaviour = behaviours.find((each) => each.app === app) ?? { switches: {} };
  const components = [...new Set(releases.flatMap((release) => release.components.map(({ name }) => name)))].sort();
  return [
    heading(app, {
      back: { href: "#/releases", text: "Releases" },
      actions: [
        h("a", { class: "button", href: `#/deployments?${new URLSearchParams({ app })}` }, "Where it runs"),
        h("a", { class: "button primary", href: `#/new-strategy?${new URLSearchParams({ app })}` }, "Roll out"),
      ],
    }),
    section("Done by itself", said(behaviour), behaviourForm(app, behaviour), reapplyForm(app)),
    section("Failed releases", failedTable(failed)),
    drift.length > 0 && section("Not as it was left", driftTable(drift)),
    appOverrides(app, overrides, components),
    appKeys(app, keys.items),
  ];
}

/** What people said; of what is left out the release decides. */
function said({ switches, changed_by: by, changed_at: changed, reason }) {
  const told = Object.entries(SWITCHES).map(([name, { label }]) => [label, saidOf(name, switches[name])]);
  if (!told.some(([, text]) => text)) return h("p", { class: "muted" }, "As each release says; nobody said otherwise.");
  const who = [by, ", ", since(changed), reason && `, ${reason}`];
  return card([...told, ["Said by", who]]);
}

function behaviourForm(app, { switches }) {
  const control = (name, { choices }) =>
    choices
      ? select(name, choices, shownAs(name, switches[name]))
      : textarea(name, { value: shownAs(name, switches[name]), rows: 2 });
  return folded("Change what is done by itself", {
    verb: "Save",
    fields: [
      h(
        "div",
        { class: "row" },
        Object.entries(SWITCHES).map(([name, it]) => field(`switches.${name}`, it.label, control(name, it), it.hint)),
      ),
      field("reason", "Reason", input("reason"), "optional, for others"),
    ],
    send: async (form) => {
      await command(
        "PATCH",
        at("/v1/behaviours/{app}", app),
        behaviourOf(valuesOf(form), switches),
        `Behaviour of ${app}`,
      );
      done(`${app}: what is done by itself is changed`);
    },
  });
}

const reapplyForm = (app) =>
  folded("Apply it again where it runs", {
    verb: "Apply it again",
    fields: [
      h(
        "div",
        { class: "row" },
        field(
          "sites",
          "Sites",
          textarea("sites", { rows: 2 }),
          "By name; empty = wherever it runs. What did not change is left as it is.",
        ),
        field("reason", "Reason", input("reason"), "optional, for others"),
      ),
    ],
    send: async (form) => {
      const { sites, reason } = valuesOf(form);
      await command("POST", at("/v1/apps/{app}/reapply", app), { sites: names(sites), reason }, `Reapply of ${app}`);
      done(`${app} is applied again, some sites at a time`);
    },
  });

const failedTable = (failed) =>
  failed.length
    ? [
        h("p", { class: "muted" }, "What is done by itself leaves a barred release alone until somebody clears it."),
        table(FAILED, failed, "Failed releases"),
      ]
    : h("p", { class: "muted" }, "None: what is done by itself may choose every release.");

const FAILED = [
  ["Release", ({ version }) => version],
  ["State", ({ barred }) => (barred ? badge("barred") : "may be chosen")],
  ["Failed on", ({ failures }) => plural(failures, "site")],
  [
    "Why",
    ({ sites }) =>
      sites
        .slice(0, 3)
        .map(({ site, cause, operation_id: id }) =>
          h(
            "div",
            { class: "prose" },
            h("a", { href: `#/operations/${encodeURIComponent(id)}` }, site),
            `: ${cause.message}`,
          ),
        ),
    "wide",
  ],
  ["When", ({ at: when }) => since(when)],
  [
    "",
    (row) => row.actions.includes("clear_failed") && roleButton("Clear", "operator", (button) => clear(button, row)),
    "end",
  ],
];

async function clear(button, { app, version }) {
  const sure = await confirm({
    title: `Let ${app} ${version} be chosen again?`,
    text: "It failed before. What goes by itself may bring it to sites once more.",
    verb: "Clear it",
  });
  if (sure)
    await act(
      button,
      `Cleared ${app} ${version}`,
      "POST",
      at("/v1/failed-releases/{app}/{version}/clear", app, version),
      {},
    );
}
