// One site: what runs there, who holds it, and what was done to it.

import { command, get } from "./api.js";
import { badge } from "./badge.js";
import { fill, h, throttled } from "./dom.js";
import { act, confirm, done, roleButton } from "./feedback.js";
import { field, input, textarea } from "./fields.js";
import { folded, inUse, valuesOf } from "./folded.js";
import { icon } from "./icons.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { concernsSite } from "./model/concerns.js";
import { pairs } from "./model/entered.js";
import { bytes, plural } from "./model/format.js";
import { siteChangeOf } from "./model/orders.js";
import { deploymentHref, operationTable } from "./operations.js";
import { card, empty, heading, resource, section, table } from "./page.js";
import { navigate } from "./router.js";
import { driftSection, RUN_NEWS, runSection } from "./site_runs.js";
import { alarmSection, checkButton, STANDING_NEWS, standing } from "./site_standing.js";
import { holder, labelChips } from "./sites.js";
import { since } from "./times.js";

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
      get(at("/v1/sites/{name}", name), {}, page.signal),
      get("/v1/operations", { site: name, limit: 20 }, page.signal),
      get(at("/v1/sites/{name}/prestaged", name), {}, page.signal),
      get("/v1/site-runs", { site: name, limit: 1 }, page.signal),
      get("/v1/drift", { site: name, limit: 100 }, page.signal),
    ]);
  const load = throttled(
    resource(page, body, read, ([site, operations, prestaged, runs, drift]) => {
      if (inUse(body)) return; // what a person is about to change stays as it is
      fill(
        body,
        detail(site, operations.items, prestaged.items, [
          runs.items.length || site.deployments.length ? runSection(name, runs.items) : null,
          driftSection(drift.items),
        ]),
      );
    }),
    500,
  );
  body.addEventListener("toggle", () => inUse(body) || load(), true); // what happened while a form was open
  on(NEWS, (event) => concernsSite(event, name) && load(), page.signal);
}

function detail(site, operations, prestaged, apps) {
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
    states(site),
    changes(site),
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

/** What is one press away: leave it alone, maintenance, simplex, forget it. */
function states(site) {
  const button = (text, facts, what) =>
    roleButton(text, "operator", (pressed) =>
      act(pressed, `${what}: ${site.name}`, "PATCH", at("/v1/sites/{name}", site.name), facts),
    );
  return h(
    "div",
    { class: "actions end" },
    site.managed
      ? button("Leave it alone", { managed: false }, "Is left alone")
      : button("Manage it again", { managed: true }, "Is managed"),
    site.maintenance
      ? button("Out of maintenance", { maintenance: false }, "Is back")
      : button("Into maintenance", { maintenance: true }, "Is in maintenance"),
    site.simplex
      ? button("No simplex", { simplex: false }, "Is no simplex")
      : button("Simplex", { simplex: true }, "Is always applied anew"),
    site.actions.includes("remove") &&
      roleButton("Forget it", "operator", (pressed) => forget(pressed, site), "danger"),
  );
}

/** Change what is known of it; what is left as it is stays. */
const changes = (site) =>
  folded("Change", {
    verb: "Save",
    fields: [
      h(
        "div",
        { class: "row" },
        field("group", "Group", input("group", { value: site.group ?? "" }), "empty = none"),
        field(
          "labels",
          "Labels",
          textarea("labels", { value: pairs(site.labels).join("\n") }),
          "key=value, one a line",
        ),
        field(
          "facts",
          "Facts of its platform",
          textarea("facts", { value: pairs(site.told_facts).join("\n") }),
          "key=value, one a line, over what its drivers found",
        ),
      ),
      field(
        "connections",
        "Connections",
        textarea("connections", { value: JSON.stringify(site.connections, null, 2), rows: 6 }),
        'As JSON, by driver; a secret goes by its name: {"password": {"secret": "NAME"}}',
      ),
    ],
    send: async (form) => {
      await command(
        "PATCH",
        at("/v1/sites/{name}", site.name),
        siteChangeOf(site, valuesOf(form)),
        `Change of ${site.name}`,
      );
      done(`Changed: ${site.name}`);
    },
  });

async function forget(button, site) {
  const sure = await confirm({
    title: `Forget ${site.name}?`,
    text: "Belay knows nothing of it any more. What runs there goes on running.",
    verb: "Forget it",
  });
  if (sure && (await act(button, `Forgot ${site.name}`, "DELETE", at("/v1/sites/{name}", site.name))))
    navigate("/sites");
}

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
      ["Sent", ({ at: when }) => since(when)],
    ],
    items,
    "Prestaged",
  );
