// Of a deployment: with which values it runs or would run, from which level each came, and what has changed since.

import { get } from "./api.js";
import { editor } from "./app_overrides.js";
import { h } from "./dom.js";
import { act, roleButton } from "./feedback.js";
import { at } from "./model/address.js";
import { changedRows, weightiest } from "./model/overrides.js";
import { section, table } from "./page.js";

/** What each component of it would be deployed with, all levels merged; of one that there is no more nothing. */
export async function mergedOf({ site, app, last, running }, signal) {
  const components = [...new Set([...(last?.plan ?? []), ...(running?.plan ?? [])].map(({ component }) => component))];
  const read = (component) =>
    get(at("/v1/apps/{app}/overrides/{component}", app, component), { site }, signal).catch(unlessGone);
  return (await Promise.all(components.map(read))).filter(Boolean);
}

function unlessGone(error) {
  if (error.status !== 404) throw error;
  return null;
}

/** The section: first what has changed since it was deployed, then what people set, then what is the release's own. */
export function valuesOf(deployment, merged) {
  const { set, released } = weightiest(merged);
  return section(
    "Values and overrides",
    changed(deployment),
    set.length
      ? table(VALUES, set, "Set by people")
      : h("p", { class: "muted" }, "Nobody set anything over its release."),
    released.length > 0 &&
      h(
        "details",
        { class: "card" },
        h("summary", {}, "As the release says", h("span", { class: "count plain" }, String(released.length))),
        table(VALUES, released, "Values of the release"),
      ),
    h(
      "div",
      { class: "actions" },
      merged.map((each) => edit(deployment, each)),
    ),
  );
}

const edit = ({ site, app }, { component }) =>
  h("a", { class: "button", href: editor(app, component, site) }, `Set for ${component}`);

function changed({ site, app, changed: since = [], secrets_changed: secrets = [] }) {
  if (!since.length && !secrets.length) return null;
  const body = { site, app, kind: "apply", only_changes: true };
  const reapply = (button) => act(button, `Reapply of ${app} on ${site}`, "POST", "/v1/operations", body);
  return h(
    "div",
    { class: "card changed" },
    h("h3", {}, "Changed since it was deployed"),
    h("p", { class: "muted" }, "The site still runs with the values of then, until it is applied again."),
    table(CHANGED, changedRows(since, secrets), "Changed since it was deployed"),
    h("div", { class: "actions end" }, roleButton("Reapply", "operator", reapply, "primary")),
  );
}

const VALUES = [
  ["Component", ({ component }) => component],
  ["Value", ({ path }) => h("code", {}, path)],
  ["Is", ({ value }) => h("code", {}, value), "wide"],
  ["From", ({ from }) => from],
];

const CHANGED = [
  ["Component", ({ component }) => component],
  ["Value", ({ what }) => h("code", {}, what)],
  ["Deployed", ({ before }) => h("code", {}, before)],
  ["Set now", ({ after }) => h("code", {}, after)],
];
