// What is set over the values of an app's releases, at every level.

import { h } from "./dom.js";
import { act, confirm, roleButton } from "./feedback.js";
import { at } from "./model/address.js";
import { KEPT, saidAt } from "./model/overrides.js";
import { section, table } from "./page.js";
import { since } from "./times.js";

/** All of it, with a way to the editor of each component. */
export function appOverrides(app, overrides, components) {
  const links = components.map((component) =>
    h("a", { class: "button", href: editor(app, component) }, `Set for ${component}`),
  );
  return section(
    "Overrides",
    overrides.length
      ? table(
          columns(app),
          overrides.map((each) => ({ ...each, app })),
          "Overrides",
        )
      : h("p", { class: "muted" }, "Nothing is set over the values of its releases."),
    h("div", { class: "actions" }, links),
  );
}

export const editor = (app, component, site = null) =>
  `#/overrides/${encodeURIComponent(app)}/${encodeURIComponent(component)}${site ? `?${new URLSearchParams({ site })}` : ""}`;

const columns = (app) => [
  ["Component", ({ component }) => h("a", { href: editor(app, component) }, component)],
  ["For", (each) => place(each)],
  ["Set", (each) => h("code", {}, saidAt(each) || "nothing"), "wide"],
  ["When", ({ at: when, by }) => [since(when), ` by ${by}`]],
  ["Reason", ({ reason }) => reason],
  [
    "",
    (each) =>
      each.actions.includes("clear") &&
      saidAt(each) &&
      roleButton("Clear", "operator", (button) => clearLevel(button, each)),
    "end",
  ],
];

const place = ({ level, target }) => (target ? `${level} ${target}` : level);

/** Set nothing any more at one level, after asking. */
export async function clearLevel(button, { app, component, level, target, nth }) {
  const where = place({ level, target });
  const sure = await confirm({
    title: `Set nothing any more for ${component} (${where})?`,
    text: `A reapply carries it out where it runs. Its history stays: ${KEPT}.`,
    verb: "Clear it",
    reason: "",
  });
  if (!sure) return;
  const body = { level, ...(target ? { target } : {}), expected_nth: nth, reason: sure.reason };
  await act(
    button,
    `Cleared ${component} (${where})`,
    "POST",
    at("/v1/apps/{app}/overrides/{component}/clear", app, component),
    body,
  );
}
