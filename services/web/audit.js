// The audit: who did what to what, when, and what came of it. One command is one line.

import { badge } from "./badge.js";
import { h } from "./dom.js";
import { input, select } from "./fields.js";
import { filtered } from "./filters.js";
import { deed, local } from "./model/audit.js";
import { full } from "./model/format.js";
import { empty, heading, table } from "./page.js";

const RESULTS = [["", "Any result"], "sent", "accepted", "rejected", "done"];

export function auditView(page) {
  const controls = [
    input("actor", { type: "search", placeholder: "Who", "aria-label": "Who: name of a token" }),
    input("action", { type: "search", placeholder: "Did: abort_strategy …", "aria-label": "What was done" }),
    input("about", { type: "search", placeholder: "To: strategy, site, app …", "aria-label": "What it was done to" }),
    select("result", RESULTS, "", { "aria-label": "Result" }),
    moment("since", "Since", page.query),
    moment("until", "Until", page.query),
  ];
  const list = filtered(page, "/v1/audit", controls, (items) =>
    items.length ? auditTable(items) : empty("Nothing was done", "No command yet, or none that passes the filters."),
  );
  page.root.append(heading("Audit", { note: "Every command, the newest first. It is kept for ever." }), list.element);
}

/** A point in time in the reader's zone; the API wants the zone said. */
function moment(name, label, query) {
  const value = input(name, { type: "hidden" });
  const show = () => (value.value = shown.value ? new Date(shown.value).toISOString() : "");
  const shown = h("input", {
    type: "datetime-local",
    value: local(query.get(name)),
    oninput: show,
    "aria-label": label,
  });
  return h("label", { class: "moment" }, h("span", {}, label), shown, value);
}

const auditTable = (items) =>
  table(
    [
      ["When", (row) => h("time", { dateTime: row.at }, full(row.at))],
      ["Who", (row) => [row.actor, h("small", { class: "muted" }, ` ${row.role}`)]],
      ["Did", (row) => deed(row.action)],
      ["To", (row) => h("span", { title: row.target }, row.about || row.target), "wide"],
      ["Result", result, "wide"],
      ["Details", details],
    ],
    items,
    "Audit",
  );

const result = ({ result: state, faults }) => [
  badge(state),
  faults?.length > 0 &&
    h("p", { class: "muted" }, faults[0].message, faults.length > 1 && ` and ${faults.length - 1} more`),
];

const details = ({ body, command_id: id, target }) =>
  body && h("details", {}, h("summary", {}, "Show"), h("pre", {}, JSON.stringify({ id, path: target, body }, null, 2)));
