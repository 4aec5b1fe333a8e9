// The overrides of a component: what comes of all levels, what each sets, how it came to that, and setting more.

import { command, get } from "./api.js";
import { fill, h, throttled } from "./dom.js";
import { act, done, formEnd, roleButton } from "./feedback.js";
import { field, input, select, submit, summary, textarea } from "./fields.js";
import { on } from "./live.js";
import { ago, full } from "./model/format.js";
import { changedRows, mergedRows, overrideOf, saidAt } from "./model/overrides.js";
import { empty, heading, resource, section, table } from "./page.js";

const NEWS = ["overrides_changed", "sites_changed", "deployments_changed"];
const VALUES = 'As JSON, over what is set there: {"image": {"tag": "2"}}. null takes a key away; {"secret": "NAME"}.';
const TITLES = { fleet: "the fleet", group: "the group", site: "the site" };

const pathOf = (app, component) => `/v1/apps/${encodeURIComponent(app)}/overrides/${encodeURIComponent(component)}`;

/** Of a deployment: what has changed since it came, and where to look at each component's overrides. */
export function overridesOf({ site, app, changed = [], last }) {
  const components = [...new Set((last?.plan ?? []).map(({ component }) => component))];
  const links = components.map((component) =>
    h("a", { class: "button", href: `#/overrides/${app}/${component}?${new URLSearchParams({ site })}` }, component),
  );
  if (!changed.length && !links.length) return null;
  const reapply = (button) =>
    act(button, `Reapply of ${app} on ${site}`, "POST", "/v1/operations", {
      site,
      app,
      kind: "apply",
      only_changes: true,
    });
  return section(
    "Overrides",
    changed.length > 0 && [
      h("p", {}, "Something else is set for it than when it was deployed."),
      table(CHANGED, changedRows(changed), "Changed since it was deployed"),
      h("div", { class: "actions" }, roleButton("Reapply", "operator", reapply, "primary")),
    ],
    h("div", { class: "actions" }, links),
  );
}

const CHANGED = [
  ["Component", ({ component }) => component],
  ["Value", ({ what }) => h("code", {}, what)],
  ["Deployed", ({ before }) => h("code", {}, before)],
  ["Set now", ({ after }) => h("code", {}, after)],
];

export function overridesView(page) {
  const { app, component } = page.params;
  const site = page.query.get("site");
  const body = h("div");
  page.root.append(
    heading(`Overrides of ${component}`, {
      back: site
        ? { href: `#/deployments/${site}/${app}`, text: `${app} on ${site}` }
        : { href: "#/releases", text: app },
      note: "Values over those of the release: the fleet's are the weakest, then the group's, then the site's.",
    }),
    body,
  );
  const path = pathOf(app, component);
  const read = async () => {
    const merged = await get(path, site ? { site } : {}, page.signal);
    const histories = await Promise.all(merged.levels.map((level) => historyOf(path, level, page.signal)));
    return { merged, histories };
  };
  const load = resource(page, body, read, ({ merged, histories }) => fill(body, detail(path, merged, histories, site)));
  on(NEWS, throttled(load, 300), page.signal);
}

const historyOf = (path, { level, target }, signal) =>
  get(`${path}/history`, { limit: 50, ...(target ? { [level]: target } : {}) }, signal);

function detail(path, merged, histories, site) {
  const rows = mergedRows(merged);
  return [
    section(
      `As it would be deployed${merged.version ? ` with release ${merged.version}` : ""}${merged.enabled ? "" : ": off"}`,
      rows.length
        ? table(MERGED, rows, "Merged values")
        : empty("No values", "Neither the release nor anybody sets any."),
    ),
    ...merged.levels.map((level, place) => levelOf(path, level, histories[place].items)),
    section("Set", setForm(path, merged, site)),
  ];
}

const MERGED = [
  ["Value", ({ path }) => h("code", {}, path)],
  ["Is", ({ value }) => h("code", {}, value)],
  ["From", ({ from }) => from],
];

function levelOf(path, level, history) {
  const { level: name, target } = level;
  const restore = (change) => (button) =>
    act(button, `Restored change ${change.nth}`, "POST", `${path}/restore`, {
      level: name,
      ...(target ? { target } : {}),
      nth: change.nth,
    });
  const columns = [
    ["Change", ({ nth }) => nth, "number"],
    ["Set", (change) => h("code", {}, saidAt(change) || "nothing")],
    ["When", ({ at }) => h("time", { title: full(at) }, ago(at))],
    ["By", ({ by }) => by],
    ["Reason", ({ reason }) => reason],
    ["", (change) => change.nth < level.nth && roleButton("Restore", "operator", restore(change)), "end"],
  ];
  return section(`For ${TITLES[name]}${target ? ` ${target}` : ""}`, table(columns, history, `History of ${name}`));
}

function setForm(path, merged, site) {
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
    ),
    field("values", "Values", textarea("values"), VALUES),
    field("unset", "Set no more", input("unset"), "Keys, such as image.tag."),
    field("reason", "Reason", input("reason")),
    formEnd("operator", (off) => h("button", { type: "submit", class: "primary", disabled: off }, "Set")),
  );
  form.addEventListener("submit", (event) => submit(event, form, () => send(form, path, merged)));
  return form;
}

async function send(form, path, merged) {
  const names = ["level", "target", "values", "unset", "enabled", "reason"];
  const given = Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
  const there = merged.levels.find(({ level, target }) => level === given.level && (target ?? "") === given.target);
  const body = overrideOf({ ...given, nth: there?.nth });
  const { result = {} } = await command("POST", path, body, "Overrides");
  form.reset();
  done(result.changed === false ? "It was set so already" : "Set: a reapply carries it out");
}
