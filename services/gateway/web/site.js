// One site: what runs there, who holds it, and what was done to it.

import { get } from "./api.js";
import { fill, h, throttled } from "./dom.js";
import { icon } from "./icons.js";
import { on } from "./live.js";
import { operationTable } from "./operations.js";
import { card, empty, heading, resource, section, table } from "./page.js";
import { holder, labelChips } from "./sites.js";
import { badge } from "./states.js";

const NEWS = [
  "sites_changed",
  "sites_held",
  "sites_released",
  "deployments_changed",
  "operation_progressed",
  "operation_succeeded",
  "operation_failed",
];

export function siteView(page) {
  const { name } = page.params;
  const body = h("div");
  page.root.append(body);
  const read = () =>
    Promise.all([
      get(`/v1/sites/${encodeURIComponent(name)}`, {}, page.signal),
      get("/v1/operations", { site: name, limit: 20 }, page.signal),
    ]);
  const load = throttled(
    resource(page, body, read, ([site, operations]) => fill(body, detail(site, operations.items))),
    500,
  );
  on(NEWS, (event) => concerns(event, name) && load(), page.signal);
}

/** Whether an event speaks of this site; one that does not list its sites may. */
function concerns({ data }, name) {
  if (!data) return true;
  if (data.site) return data.site === name;
  const listed = data.names ?? data.sites?.map((site) => site.name) ?? data.deployments?.map(({ site }) => site);
  return listed?.includes(name) ?? true;
}

function detail(site, operations) {
  const href = `#/new-operation?${new URLSearchParams({ site: site.name })}`;
  const act = h("a", { class: "button primary", href }, icon("plus"), "Operation");
  return [
    heading(site.name, { back: { href: "#/sites", text: "Sites" }, actions: [act] }),
    card(
      [
        ["Group", site.group],
        ["Labels", Object.keys(site.labels).length > 0 && labelChips(site.labels)],
        ["Driver", site.driver],
        ["Held by", holder(site) ?? "nobody"],
        ["Managed", site.managed ? "yes" : "no: strategies leave it alone"],
        ["Simplex", site.simplex ? "yes: always applied anew" : ""],
        ...Object.entries(site.params).map(([key, value]) => [key, h("code", {}, String(value))]),
      ].filter(([, value]) => value),
    ),
    section(
      "Deployments",
      site.deployments.length ? deployments(site.deployments) : h("p", { class: "muted" }, "Nothing runs here yet."),
    ),
    section(
      "Operations",
      operations.length
        ? operationTable(operations)
        : empty("No operation yet", "Nothing was done to this site so far."),
    ),
  ];
}

const deployments = (items) =>
  table(
    [
      ["App", ({ app }) => app],
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
