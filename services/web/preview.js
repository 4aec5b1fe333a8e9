// What is planned for an app on a site: one view of the answer to a preview, and of the plan that an operation kept.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { words } from "./model/format.js";
import { firstOf, noticesOf, valuesOf, whenItFails } from "./model/preview.js";
import { section, table } from "./page.js";

/** All that an operation of the kind would do. Other apps that are changed as well stand above all else. */
export function previewOf(result, kind) {
  const { plan = [] } = result;
  const first = firstOf(result);
  return [
    first.length > 0 && section("Changed first, because it needs them", list(first, "ol")),
    section("What it would do", ...planOf(plan, result.notices, "Nothing would change."), turnedBack(result, kind)),
    ...plan.filter(({ changes }) => changes?.length).map(foreseenOf),
  ];
}

/** Each component's way and why, which of its values change, and what is worth knowing beside it. */
export function planOf(plan, notices, none) {
  const values = valuesOf(plan);
  const said = noticesOf(plan, notices);
  return [
    plan.length ? planTable(plan) : h("p", { class: "muted" }, none),
    values.length > 0 && table(VALUES, values, "Values that change"),
    said.length > 0 && list(said),
  ];
}

const turnedBack = (result, kind) =>
  h(
    "p",
    { class: result.point_of_no_return ? "summary mild" : "muted" },
    result.point_of_no_return && icon("warning", 18),
    whenItFails(result, kind),
  );

const foreseenOf = ({ component, changes }) =>
  section(`What would differ of ${component}`, list(changes.map((line) => h("code", {}, line))));

const list = (lines, kind = "ul") => h(kind, { class: "lines" }, ...lines.map((line) => h("li", {}, line)));

const planTable = (plan) =>
  table(
    [
      ["Component", (row) => row.component],
      ["Way", (row) => words(row.action)],
      ["Why", (row) => row.reason, "wide"],
      ["Driver", (row) => row.driver ?? ""],
      plan.some(({ revision }) => revision) && ["Revision", ({ revision }) => revision && h("code", {}, revision)],
    ].filter(Boolean),
    plan,
    "Plan",
  );

const VALUES = [
  ["Component", ({ component }) => component],
  ["Value", ({ what }) => h("code", {}, what)],
  ["Before", ({ before }) => h("code", {}, before)],
  ["After", ({ after }) => h("code", {}, after)],
];
