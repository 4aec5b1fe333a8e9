// The overrides of a component: what comes of all levels, what each sets, how it came to that, and setting more.

import { command, get } from "./api.js";
import { clearLevel } from "./app_overrides.js";
import { fill, h, throttled } from "./dom.js";
import { act, done, formEnd, roleButton } from "./feedback.js";
import { checkbox, field, input, select, submit, summary, textarea } from "./fields.js";
import { valuesOf } from "./folded.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { KEPT, LAST_CHANGES, mergedRows, overrideOf, saidAt } from "./model/overrides.js";
import { deploymentHref } from "./operations.js";
import { empty, heading, resource, section, table } from "./page.js";
import { since } from "./times.js";

const NEWS = ["overrides_changed", "sites_changed", "deployments_changed"];
const VALUES = "As YAML or JSON, over what is set there. null takes a key away; {secret: NAME} is one of the secrets.";
const TITLES = { fleet: "the fleet", group: "the group", site: "the site" };

export function overridesView(page) {
  const { app, component } = page.params;
  const site = page.query.get("site");
  const body = h("div");
  page.root.append(
    heading(`Overrides of ${component}`, {
      back: site
        ? { href: deploymentHref({ site, app }), text: `${app} on ${site}` }
        : { href: `#/apps/${encodeURIComponent(app)}`, text: app },
      note: "Values over those of the release: the fleet's are the weakest, then the group's, then the site's.",
    }),
    body,
  );
  const read = async () => {
    const path = at("/v1/apps/{app}/overrides/{component}", app, component);
    const merged = await get(path, site ? { site } : {}, page.signal);
    const histories = await Promise.all(merged.levels.map((level) => historyOf(merged, level, page.signal)));
    return { merged, histories };
  };
  const form = setForm(site);
  const load = resource(page, body, read, ({ merged, histories }) => {
    form.merged = merged;
    fill(body, detail(merged, histories));
    if (!form.section.isConnected) page.root.append(form.section);
  });
  on(NEWS, throttled(load, 300), page.signal);
}

const historyOf = ({ app, component }, { level, target }, signal) =>
  get(
    at("/v1/apps/{app}/overrides/{component}/history", app, component),
    { limit: LAST_CHANGES, ...(target ? { [level]: target } : {}) },
    signal,
  );

function detail(merged, histories) {
  const rows = mergedRows(merged);
  return [
    section(
      `As it would be deployed${merged.version ? ` with release ${merged.version}` : ""}${merged.enabled ? "" : ": off"}`,
      rows.length
        ? table(MERGED, rows, "Merged values")
        : empty("No values", "Neither the release nor anybody sets any."),
    ),
    ...merged.levels.map((level, place) => levelOf(merged, level, histories[place].items)),
  ];
}

const MERGED = [
  ["Value", ({ path }) => h("code", {}, path)],
  ["Is", ({ value }) => h("code", {}, value)],
  ["From", ({ from }) => from],
];

function levelOf({ app, component }, level, history) {
  const { level: name, target } = level;
  const restore = (change) => (button) =>
    act(
      button,
      `Restored change ${change.nth}`,
      "POST",
      at("/v1/apps/{app}/overrides/{component}/restore", app, component),
      {
        level: name,
        ...(target ? { target } : {}),
        nth: change.nth,
      },
    );
  const columns = [
    ["Change", ({ nth }) => nth, "number"],
    ["Set", (change) => h("code", {}, saidAt(change) || "nothing")],
    ["When", ({ at: when }) => since(when)],
    ["By", ({ by }) => by],
    ["Reason", ({ reason }) => reason],
    ["", (change) => change.nth < level.nth && roleButton("Restore", "operator", restore(change)), "end"],
  ];
  const clear = (button) => clearLevel(button, { app, component, ...level });
  return section(
    `For ${TITLES[name]}${target ? ` ${target}` : ""}`,
    table(columns, history, `History of ${name}`),
    history.length > 0 && h("p", { class: "muted" }, `${KEPT[0].toUpperCase()}${KEPT.slice(1)}.`),
    saidAt(level) && h("div", { class: "actions end" }, roleButton("Clear", "operator", clear)),
  );
}

/** Made once: what somebody has begun to write outlives every reading anew. `merged` is what was read last. */
function setForm(site) {
  const made = { merged: null };
  const levels = [
    ["fleet", "the fleet"],
    ["group", "a group"],
    ["site", "a site"],
  ];
  const form = h(
    "form",
    { class: "card form", novalidate: true },
    summary(),
    h(
      "div",
      { class: "row" },
      field("level", "For", select("level", levels, site ? "site" : "fleet")),
      field("target", "Group or site", input("target", { value: site ?? "" })),
      field(
        "enabled",
        "Deployed",
        select("enabled", [
          ["", "as it is"],
          ["on", "on"],
          ["off", "off"],
        ]),
      ),
      field("namespace", "Namespace", input("namespace"), "Where it is deployed; empty = as it is"),
    ),
    field("values", "Values", textarea("values", { rows: 6 }), VALUES),
    checkbox("replace", "In place of all values that are set there"),
    checkbox("clear_attributes", "Forget what is said there of deployed and namespace"),
    field("unset", "Set no more", input("unset"), "Keys, such as image.tag."),
    field("reason", "Reason", input("reason")),
    formEnd("operator", h("button", { type: "submit", class: "primary" }, "Set")),
  );
  form.addEventListener("submit", (event) => submit(event, form, () => send(form, made.merged)));
  made.section = section("Set", form);
  return made;
}

async function send(form, merged) {
  const given = valuesOf(form);
  const there = merged.levels.find(({ level, target }) => level === given.level && (target ?? "") === given.target);
  const body = overrideOf({ ...given, nth: there?.nth });
  const { result = {} } = await command(
    "POST",
    at("/v1/apps/{app}/overrides/{component}", merged.app, merged.component),
    body,
    "Overrides",
  );
  form.reset();
  done(result.changed === false ? "It was set so already" : "Set: a reapply carries it out");
}
