// What people set over the values of a release: rows of what comes of it, and the command that a form means.

import { chosen, given } from "./entered.js";
import { parsed } from "./problem.js";

/** How far back a person can go. */
export const KEPT = "the last 100 changes can be restored, and all of the last 90 days";
export const LAST_CHANGES = 100;

const SPECIAL = /([.,=[\]{}\\])/g;
const isMapping = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isReference = (value) => Object.keys(value).length === 1 && typeof value.secret === "string";

/** Every value of a component: its path, what it is, and which level it came from. */
export function mergedRows({ values, origins }, path = "") {
  return Object.entries(values).flatMap(([key, value]) => {
    const here = `${path}${path && "."}${key.replace(SPECIAL, "\\$1")}`;
    const inside = isMapping(value) && !isReference(value) && Object.keys(value).length > 0;
    if (inside) return mergedRows({ values: value, origins }, here);
    return [{ path: here, value: JSON.stringify(value), from: origins[here] ?? "" }];
  });
}

/** What is set for a level, in a line; empty where nothing is. */
export function saidAt({ values, enabled, namespace }) {
  const said = [];
  if (Object.keys(values).length) said.push(JSON.stringify(values));
  if (enabled !== null) said.push(enabled ? "on" : "off");
  if (namespace) said.push(`namespace ${namespace}`);
  return said.join("; ");
}

/** The command of a form. */
export const overrideOf = ({ level, target, values, unset, enabled, nth, ...more }) => ({
  level,
  ...(level === "fleet" ? {} : { target }),
  values: valuesIn(values),
  unset: unset.split(/\s+/).filter(Boolean),
  ...chosen({
    enabled: enabled === "" ? undefined : enabled === "on",
    namespace: given(more.namespace ?? ""),
    replace: more.replace ? true : undefined,
    clear_attributes: more.clear_attributes ? true : undefined,
    reason: given(more.reason ?? ""),
  }),
  expected_nth: nth,
});

/** Values that are JSON as they are; any other text goes along as it is, for the gateway reads it as YAML. */
function valuesIn(text) {
  if (!text.trim()) return {};
  const found = parsed(text);
  return isMapping(found) ? found : text;
}

/** What has changed since a deployment came, a row each. */
export const changedRows = (changed, secrets = []) => [
  ...changed.flatMap(({ component, values, attributes }) => [
    ...values.map(({ path, before, after }) => ({ component, what: path, before: before ?? "-", after: after ?? "-" })),
    ...attributes.map((said) => ({ component, what: said, before: "", after: "" })),
  ]),
  ...secrets.map(({ name, deployed, now }) => ({
    component: "",
    what: `secret ${name}`,
    before: `version ${deployed}`,
    after: `version ${now}`,
  })),
];

/** The values of all components as rows: those that people set, and those that are the release's own. */
export function weightiest(merged) {
  const rows = merged.flatMap((each) => [
    ...attributesOf(each),
    ...mergedRows(each).map((row) => ({ component: each.component, ...row })),
  ]);
  return {
    set: rows.filter(({ from }) => from !== "release"),
    released: rows.filter(({ from }) => from === "release"),
  };
}

/** Whether it is deployed, and where, as the last level that says so has it. */
function attributesOf({ component, levels }) {
  const said = (key) => levels.findLast((level) => level[key] !== null);
  const row = (key, path) => {
    const level = said(key);
    return level && { component, path, value: JSON.stringify(level[key]), from: level.level };
  };
  return [row("enabled", "deployed"), row("namespace", "namespace")].filter(Boolean);
}
