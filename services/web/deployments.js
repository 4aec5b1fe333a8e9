// What runs where, all over the fleet: which apps, which releases, in which state, and what waits for a reapply.

import { badge } from "./badge.js";
import { h, throttled } from "./dom.js";
import { input, select } from "./fields.js";
import { filtered } from "./filters.js";
import { on } from "./live.js";
import { words } from "./model/format.js";
import { DEPLOYMENT_STATUSES } from "./model/states.js";
import { deploymentHref } from "./operations.js";
import { empty, heading, table } from "./page.js";
import { since } from "./times.js";

const STATUSES = [["", "Any status"], ...DEPLOYMENT_STATUSES.map((status) => [status, words(status)])];
const CHANGED = [
  ["", "All"],
  ["true", "Set otherwise since"],
];

export function deploymentsView(page) {
  const controls = [
    input("site", { type: "search", placeholder: "Site", "aria-label": "Site" }),
    input("app", { placeholder: "App", "aria-label": "App" }),
    input("version", { placeholder: "Release", "aria-label": "Release" }),
    select("status", STATUSES, "", { "aria-label": "Status" }),
    select("overrides_changed", CHANGED, "", { "aria-label": "Overrides" }),
  ];
  const list = filtered(page, "/v1/deployments", controls, (items) =>
    items.length ? table(COLUMNS, items, "Deployments") : empty("Nothing runs", "Or nothing that passes the filters."),
  );
  page.root.append(
    heading("What runs where", { back: { href: "#/sites", text: "Sites" }, note: "Each app on each site." }),
    list.element,
  );
  on(["deployments_changed", "overrides_changed"], throttled(list.reload, 1000), page.signal);
}

const COLUMNS = [
  ["Deployment", (row) => h("a", { href: deploymentHref(row) }, `${row.app} on ${row.site}`)],
  ["Release", ({ version }) => version ?? "none"],
  ["Status", ({ status }) => badge(status)],
  ["Overrides", ({ overrides_changed: changed }) => (changed ? "set otherwise since: a reapply carries it out" : "")],
  ["Since", ({ updated_at: when }) => since(when)],
];
