// What is wrong with sites, all over the fleet.

import { badge } from "./badge.js";
import { h, throttled } from "./dom.js";
import { act, roleButton } from "./feedback.js";
import { input, select } from "./fields.js";
import { filtered } from "./filters.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { empty, heading, table } from "./page.js";
import { since } from "./times.js";

const SEVERITIES = [["", "Any severity"], "critical", "major", "minor", "warning"];
const AFFECTS = [
  ["", "Management affected or not"],
  ["true", "Management affected"],
  ["false", "Management not affected"],
];

export function alarmsView(page) {
  const controls = [
    input("site", { type: "search", placeholder: "Site", "aria-label": "Site" }),
    select("severity", SEVERITIES, "", { "aria-label": "Severity" }),
    select("management_affecting", AFFECTS, "", { "aria-label": "Management" }),
  ];
  const list = filtered(page, "/v1/alarms", controls, (items) =>
    items.length
      ? table(COLUMNS, items, "Alarms")
      : empty("No alarm", "Nothing is wrong, or nothing passes the filters."),
  );
  page.root.append(
    heading("Alarms", {
      back: { href: "#/sites", text: "Sites" },
      note: "What people and monitoring systems said of sites.",
    }),
    list.element,
  );
  on(["alarm_raised", "alarm_cleared"], throttled(list.reload, 1000), page.signal);
}

const COLUMNS = [
  ["Site", ({ site }) => h("a", { href: `#/sites/${encodeURIComponent(site)}` }, site)],
  ["Alarm", ({ alarm }) => h("code", {}, alarm)],
  ["Severity", ({ severity }) => badge(severity)],
  ["Affects management", ({ management_affecting: affects }) => (affects ? "yes" : "no")],
  ["Text", ({ text }) => text, "wide"],
  ["Raised", ({ raised_at: when, raised_by: by }) => [since(when), ` by ${by}`]],
  [
    "",
    (row) => row.actions.includes("clear") && roleButton("Clear", "operator", (button) => clear(button, row)),
    "end",
  ],
];

const clear = (button, { site, alarm }) =>
  act(button, `Cleared ${alarm} of ${site}`, "DELETE", at("/v1/sites/{site}/alarms/{alarm}", site, alarm));
