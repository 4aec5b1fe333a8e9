// Whether a site answers, and what is wrong with it: as badges in lists, and whole on its own page.

import { command } from "./api.js";
import { badge } from "./badge.js";
import { h } from "./dom.js";
import { act, done, roleButton } from "./feedback.js";
import { checkbox, field, input, select } from "./fields.js";
import { folded, valuesOf } from "./folded.js";
import { at } from "./model/address.js";
import { bytes, full, plural } from "./model/format.js";
import { alarmOf } from "./model/orders.js";
import { section, table } from "./page.js";
import { since } from "./times.js";

export const STANDING_NEWS = ["availability_changed", "alarm_raised", "alarm_cleared"];
const SEVERITIES = ["critical", "major", "minor", "warning"];

/** The badge of a site's availability, with why and since when on the pointer. */
export function availability({ availability: state, since: begun, cause }) {
  const why = [cause?.message, begun && `since ${full(begun)}`].filter(Boolean).join("; ");
  return h("span", { title: why }, badge(state), cause && state === "online" && doubt());
}

const doubt = () => h("small", { class: "muted" }, " did not answer last");

/** What else stands in the way of changing a site. */
export function flags({ managed, maintenance, simplex, alarms }) {
  return [
    !managed && h("span", { class: "flag", title: "Strategies leave it alone" }, "unmanaged"),
    maintenance && h("span", { class: "flag", title: "Nothing is begun there meanwhile" }, "maintenance"),
    alarms.length > 0 &&
      h("span", { class: "flag", title: alarms.map(({ alarm }) => alarm).join(", ") }, plural(alarms.length, "alarm")),
    simplex && h("span", { class: "flag", title: "Always applied anew, never rolled back to a revision" }, "simplex"),
  ];
}

/** Name and value pairs of a site's card. */
export const standing = (site) => [
  ["Availability", availability(site)],
  ["Cause", site.cause?.message],
  ["Since", site.since && since(site.since)],
  ["Last sign of life", site.seen_at && since(site.seen_at)],
  ["Free disk", site.free_bytes !== null && bytes(site.free_bytes)],
  ["Found there", facts(site.facts)],
  ["Maintenance", site.maintenance ? "yes: nothing is begun there" : ""],
];

const facts = (found) =>
  Object.keys(found).length > 0 &&
  h(
    "span",
    { class: "chips" },
    Object.entries(found).map(([name, value]) => h("code", {}, `${name}=${value}`)),
  );

/** Ask it now. What comes of it is an event. */
export const checkButton = (site) =>
  roleButton("Check now", "operator", (button) =>
    act(button, `Asked ${site.name}`, "POST", at("/v1/sites/{site}/check", site.name), {}),
  );

/** The alarms of a site, and how one is raised. */
export function alarmSection(site) {
  const list = site.alarms.length ? alarmTable(site) : h("p", { class: "muted" }, "Nothing is wrong with it.");
  return section("Alarms", list, raiseForm(site));
}

const alarmTable = (site) =>
  table(
    [
      ["Alarm", ({ alarm }) => h("code", {}, alarm)],
      ["Severity", ({ severity }) => badge(severity)],
      ["Affects management", ({ management_affecting: affects }) => (affects ? "yes" : "no")],
      ["Text", ({ text }) => text, "wide"],
      ["Raised", ({ raised_at: when }) => since(when)],
      ["By", ({ raised_by: by }) => by],
      ["", ({ alarm }) => clearButton(site, alarm), "end"],
    ],
    site.alarms,
    "Alarms",
  );

const clearButton = (site, alarm) =>
  roleButton("Clear", "operator", (button) =>
    act(button, `Cleared ${alarm}`, "DELETE", at("/v1/sites/{site}/alarms/{alarm}", site.name, alarm)),
  );

const raiseForm = (site) =>
  folded("Raise an alarm", {
    verb: "Raise it",
    fields: [
      h(
        "div",
        { class: "row" },
        field("alarm", "Alarm", input("alarm"), "such as disk-full"),
        field("severity", "Severity", select("severity", SEVERITIES, "major")),
        field("text", "Text", input("text")),
      ),
      checkbox("affects", "It affects the management: strategies leave the site out meanwhile, unless forced"),
    ],
    send: async (form) => {
      const { affects, ...told } = valuesOf(form);
      const { name, ...said } = alarmOf({ ...told, affects: affects === "on" });
      await command("PUT", at("/v1/sites/{site}/alarms/{alarm}", site.name, name), said, `Alarm ${name}`);
      done(`${site.name} has the alarm ${name}`);
    },
  });
