// One site: what runs there, who holds it, and what was done to it.

import { get } from "./api.js";
import { badge } from "./badge.js";
import { fill, h, throttled } from "./dom.js";
import { act, roleButton } from "./feedback.js";
import { field, input, textarea } from "./fields.js";
import { icon } from "./icons.js";
import { on } from "./live.js";
import { concernsSite } from "./model/concerns.js";
import { labelLines, names, pairs } from "./model/entered.js";
import { ago, bytes, full, plural } from "./model/format.js";
import { deploymentHref, operationTable } from "./operations.js";
import { card, empty, heading, resource, section, table } from "./page.js";
import { driftSection, RUN_NEWS, runSection } from "./site_runs.js";
import { alarmSection, checkButton, STANDING_NEWS, standing } from "./site_standing.js";
import { holder, labelChips } from "./sites.js";

/** What a driver must know to reach the site. */
const connection = (told) =>
  Object.keys(told).length
    ? h(
        "span",
        { class: "chips" },
        Object.entries(told).map(([name, value]) =>
          h("code", {}, `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`),
        ),
      )
    : "nothing to know";

const NEWS = [
  "sites_changed",
  "sites_held",
  "sites_released",
  "deployments_changed",
  "operation_progressed",
  "operation_succeeded",
  "operation_failed",
  ...STANDING_NEWS,
  ...RUN_NEWS,
];

export function siteView(page) {
  const { name } = page.params;
  const body = h("div");
  page.root.append(body);
  const read = () =>
    Promise.all([
      get(`/v1/sites/${encodeURIComponent(name)}`, {}, page.signal),
      get("/v1/operations", { site: name, limit: 20 }, page.signal),
      get(`/v1/sites/${encodeURIComponent(name)}/prestaged`, {}, page.signal),
      get("/v1/site-runs", { site: name, limit: 1 }, page.signal),
      get("/v1/drift", { site: name, limit: 100 }, page.signal),
    ]);
  const load = throttled(
    resource(page, body, read, ([site, operations, prestaged, runs, drift]) => {
      if (body.querySelector("details[open]")) return; // what a person is about to change stays as it is
      fill(
        body,
        detail(
          site,
          operations.items,
          prestaged.items,
          [
            runs.items.length || site.deployments.length ? runSection(name, runs.items) : null,
            driftSection(drift.items),
          ],
          changes(site, () => load()),
        ),
      );
    }),
    500,
  );
  on(NEWS, (event) => concernsSite(event, name) && load(), page.signal);
}

function detail(site, operations, prestaged, apps, form) {
  const href = `#/new-operation?${new URLSearchParams({ site: site.name })}`;
  const act = h("a", { class: "button primary", href }, icon("plus"), "Operation");
  return [
    heading(site.name, { back: { href: "#/sites", text: "Sites" }, actions: [checkButton(site), act] }),
    card(
      [
        ...standing(site),
        ["Group", site.group],
        ["Labels", Object.keys(site.labels).length > 0 && labelChips(site.labels)],
        ["Held by", holder(site) ?? "nobody"],
        ["Managed", site.managed ? "yes" : "no: strategies leave it alone"],
        ["Simplex", site.simplex ? "yes: always applied anew" : ""],
        ...Object.entries(site.connections).map(([driver, told]) => [`Reached by ${driver}`, connection(told)]),
      ].filter(([, value]) => value),
    ),
    form,
    alarmSection(site),
    section(
      "Deployments",
      site.deployments.length
        ? deployments(site.name, site.deployments)
        : h("p", { class: "muted" }, "Nothing runs here yet."),
    ),
    ...apps.filter(Boolean),
    ...(prestaged.length ? [section("Prestaged", prestagedTable(prestaged))] : []),
    section(
      "Operations",
      operations.length
        ? operationTable(operations)
        : empty("No operation yet", "Nothing was done to this site so far."),
    ),
  ];
}

/** Change single facts; what is left as it is stays. `reload` is called when it is closed again. */
function changes(site, reload) {
  const send = async (button, facts, what) => {
    if (await change(button, site, facts, what)) form.open = false;
  };
  const managed = roleButton(site.managed ? "Leave it alone" : "Manage it again", "operator", (button) =>
    send(button, { managed: !site.managed }, site.managed ? "Is left alone" : "Is managed"),
  );
  const maintained = roleButton(site.maintenance ? "Out of maintenance" : "Into maintenance", "operator", (button) =>
    send(button, { maintenance: !site.maintenance }, site.maintenance ? "Is back" : "Is in maintenance"),
  );
  const group = input("group", { value: site.group ?? "" });
  const text = textarea("labels", { value: pairs(site.labels).join("\n") });
  const save = roleButton("Save", "operator", (button) => send(button, edited(site, group, text), "Changed"));
  const form = h(
    "details",
    { class: "card", ontoggle: () => form.open || reload() },
    h("summary", {}, "Change"),
    h(
      "div",
      { class: "form" },
      h(
        "div",
        { class: "row" },
        field("group", "Group", group, "empty = none"),
        field("labels", "Labels", text, "key=value, one a line"),
      ),
      h("div", { class: "actions end" }, managed, maintained, save),
    ),
  );
  return form;
}

function edited(site, group, text) {
  const wanted = labelLines(text.value);
  const [name] = names(group.value);
  const unlabel = Object.keys(site.labels).filter((key) => !(key in wanted));
  return { ...(name ? { group: name } : { ungroup: true }), labels: wanted, unlabel };
}

const change = (button, site, facts, what) =>
  act(button, `${what}: ${site.name}`, "PATCH", `/v1/sites/${encodeURIComponent(site.name)}`, facts);

const deployments = (site, items) =>
  table(
    [
      ["App", ({ app }) => h("a", { href: deploymentHref({ site, app }) }, app)],
      ["Release", ({ version }) => version ?? "none"],
      ["Status", ({ status }) => badge(status)],
      [
        "Brought by",
        ({ operation_id: id }) => id && h("a", { href: `#/operations/${encodeURIComponent(id)}` }, "its operation"),
      ],
    ],
    items,
    "Deployments",
  );

/** What was sent here before it is needed. */
const prestagedTable = (items) =>
  table(
    [
      ["App", ({ app }) => app],
      ["Release", ({ version }) => version],
      ["Size", ({ bytes: count, items }) => `${bytes(count)} in ${plural(items, "item")}`],
      ["Complete", ({ complete }) => (complete ? "yes" : "no: another prestage goes on there")],
      ["Sent", ({ at }) => h("time", { datetime: at, title: full(at) }, ago(at))],
    ],
    items,
    "Prestaged",
  );
