// The fleet: sites with what runs on them and who holds them, and their groups.

import { all } from "./api.js";
import { badge } from "./badge.js";
import { fill, h, throttled } from "./dom.js";
import { input, select, setOptions } from "./fields.js";
import { filtered } from "./filters.js";
import { inUse } from "./folded.js";
import { groupList } from "./groups.js";
import { icon } from "./icons.js";
import { on } from "./live.js";
import { pairs } from "./model/entered.js";
import { empty, heading, resource, section, table } from "./page.js";
import { siteForms } from "./site_forms.js";
import { availability, flags, STANDING_NEWS } from "./site_standing.js";

const NEWS = [
  "sites_changed",
  "sites_removed",
  "sites_held",
  "sites_released",
  "deployments_changed",
  ...STANDING_NEWS,
];
const RELOAD_MS = 1000; // a busy strategy changes sites many times a second; nobody reads a table that fast
const HELD = [
  ["", "Held or free"],
  ["true", "Held by a strategy"],
  ["false", "Free"],
];
const AVAILABLE = [["", "Online or not"], "online", "offline", "unknown"];
const MAINTENANCE = [
  ["", "In maintenance or not"],
  ["true", "In maintenance"],
  ["false", "Not in maintenance"],
];
const ALARMS = [
  ["", "With alarms or without"],
  ["true", "With alarms"],
  ["false", "Without alarms"],
];

export function sitesView(page) {
  const group = select("group", [["", "All groups"]]);
  const controls = [
    input("q", { type: "search", placeholder: "Part of a name", "aria-label": "Part of a name" }),
    labelled(group, "Group"),
    input("label", { placeholder: "label=value", "aria-label": "Label" }),
    labelled(select("held", HELD), "Held"),
    labelled(select("availability", AVAILABLE), "Availability"),
    labelled(select("maintenance", MAINTENANCE), "Maintenance"),
    labelled(select("alarms", ALARMS), "Alarms"),
  ];
  const sites = filtered(page, "/v1/sites", controls, (items) => (items.length ? siteTable(items) : nothing(page)));
  const groups = h("div");
  page.root.append(
    heading("Sites", {
      note: "What is upgraded as one: a cluster, an edge cloud, a node.",
      actions: [link("#/deployments", "What runs where"), link("#/alarms", "Alarms"), secretsLink(), operationButton()],
    }),
    sites.element,
    siteForms(),
    section("Groups", groups),
  );
  const readGroups = resource(
    page,
    groups,
    () => all("/v1/groups", {}, page.signal),
    (items) => showGroups(groups, group, items, page),
  );
  groups.addEventListener("toggle", () => inUse(groups) || readGroups(), true); // what came while a form was open
  on(NEWS, throttled(sites.reload, RELOAD_MS), page.signal);
  on(
    ["group_changed", "group_deleted", "sites_changed", "sites_removed"],
    throttled(readGroups, RELOAD_MS),
    page.signal,
  );
}

function labelled(control, text) {
  control.setAttribute("aria-label", text);
  return control;
}

const link = (href, text) => h("a", { class: "button", href }, text);

const secretsLink = () => link("#/secrets", "Secrets");

const operationButton = () =>
  h("a", { class: "button", href: "#/new-operation" }, icon("plus"), "Operation on one site");

function nothing(page) {
  const filtering = location.hash.includes("?") || page.query.size > 0;
  if (filtering) return empty("No such site", "No site passes these filters.");
  return empty(
    "No site yet",
    "Add one below, or many from a file with the command line:",
    h("code", {}, "belay site import sites.yaml"),
  );
}

function siteTable(items) {
  return table(
    [
      ["Site", (site) => h("a", { href: `#/sites/${encodeURIComponent(site.name)}` }, site.name)],
      ["State", (site) => [availability(site), " ", flags(site)]],
      ["Group", (site) => site.group ?? ""],
      ["Labels", (site) => labelChips(site.labels)],
      ["Runs", (site) => site.deployments.map(deployment)],
      ["Held by", holder],
    ],
    items,
    "Sites",
  );
}

export const labelChips = (labels) =>
  h(
    "span",
    { class: "chips" },
    pairs(labels).map((pair) => h("code", {}, pair)),
  );

/** What of an app runs on a site, and how it does. */
export function deployment({ app, version, status }) {
  return h(
    "div",
    { class: "runs" },
    h("span", {}, `${app} `, h("strong", {}, version ?? "none")),
    status !== "operational" && badge(status),
  );
}

export function holder({ held_by: held }) {
  return held && h("a", { href: `#/strategies/${encodeURIComponent(held.strategy_id)}` }, held.strategy);
}

function showGroups(root, filter, items, page) {
  setOptions(
    filter,
    [["", "All groups"], ...items.map(({ name }) => name)],
    filter.value || page.query.get("group") || "",
  );
  if (!inUse(root)) fill(root, groupList(items));
}
