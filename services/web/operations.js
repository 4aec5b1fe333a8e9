// Operations: one job on one site. The list, and one in detail with its plan, phases and evidence.

import { get } from "./api.js";
import { awaited } from "./awaited.js";
import { badge } from "./badge.js";
import { fill, h, throttled } from "./dom.js";
import { lastLines } from "./evidence.js";
import { act, confirm, roleButton } from "./feedback.js";
import { input, select } from "./fields.js";
import { filtered } from "./filters.js";
import { icon } from "./icons.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { concernsOperation } from "./model/concerns.js";
import { recovery, tookSeconds } from "./model/evidence.js";
import { bytes, full, seconds, words } from "./model/format.js";
import { waitsForPublication } from "./model/waiting.js";
import { card, empty, heading, resource, section, table } from "./page.js";
import { planOf } from "./preview.js";
import { since, timeOf } from "./times.js";

export const NEWS = ["operation_progressed", "operation_succeeded", "operation_failed", "deployments_changed"];
const STATES = [["", "Any state"], "queued", "running", "succeeded", "failed"];

export function operationsView(page) {
  const state = select("state", STATES, "", { "aria-label": "State" });
  const controls = [
    input("site", { type: "search", placeholder: "Site", "aria-label": "Site" }),
    input("app", { placeholder: "App", "aria-label": "App" }),
    state,
  ];
  const list = filtered(page, "/v1/operations", controls, (items) =>
    items.length ? operationTable(items) : empty("No operation", "None yet, or none that passes the filters."),
  );
  const add = h("a", { class: "button", href: "#/new-operation" }, icon("plus"), "Operation on one site");
  page.root.append(heading("Operations", { note: "One job on one site, newest first.", actions: [add] }), list.element);
  on([...NEWS, "command_accepted"], throttled(list.reload, 1000), page.signal);
}

export function operationTable(items) {
  return table(
    [
      [
        "Operation",
        (row) =>
          h("a", { href: `#/operations/${encodeURIComponent(row.operation_id)}` }, `${words(row.kind)} ${row.app}`),
      ],
      ["Site", (row) => h("a", { href: `#/sites/${encodeURIComponent(row.site)}` }, row.site)],
      ["State", (row) => [badge(row.state), doneSoFar(row)]],
      ["From", (row) => row.from_version ?? ""],
      ["To", (row) => row.to_version ?? ""],
      ["Cause", (row) => row.cause?.message ?? "", "wide"],
      ["Took", (row) => seconds(row.seconds), "number"],
      ["When", (row) => since(row.requested_at)],
    ],
    items,
    "Operations",
  );
}

function doneSoFar(row) {
  if (waitsForPublication(row)) return h("small", { class: "muted" }, " waits for its release");
  return row.state === "running" && h("small", { class: "muted" }, ` ${row.phase ?? ""} ${row.percent ?? 0} %`);
}

export function operationView(page) {
  const { id } = page.params;
  const body = h("div");
  const release = awaited(page, "operation");
  page.root.append(body);
  const load = resource(
    page,
    body,
    () => get(at("/v1/operations/{operation_id}", id), {}, page.signal),
    (operation) => {
      release.watch(waitsForPublication(operation) ? operation.publication : null);
      fill(body, detail(operation, release.element));
    },
  );
  const news = throttled(load, 300);
  on(NEWS, (event) => concernsOperation(event, id) && news(), page.signal);
}

function detail(operation, release) {
  const title = `${words(operation.kind)} ${operation.app} on ${operation.site}`;
  return [
    heading(title[0].toUpperCase() + title.slice(1), {
      back: { href: "#/operations", text: "Operations" },
      actions: operation.actions.includes("cancel")
        ? [roleButton("Cancel", "operator", (button) => cancel(button, operation), "danger")]
        : [],
    }),
    release,
    operation.cause &&
      h(
        "div",
        { class: "summary" },
        icon("failed", 18),
        h("div", {}, h("strong", {}, operation.cause.message), h("p", {}, recovery(operation))),
      ),
    facts(operation),
    ...partsOfOperation(operation),
  ];
}

/** Its plan, what is being done, its phases, and what a failed one said last. */
export function partsOfOperation(operation) {
  if (waitsForPublication(operation)) return [];
  return [
    section("Plan", ...planOf(operation.plan ?? [], [], "There is no plan yet.")),
    operation.doing?.length > 0 && section("Now", doing(operation.doing)),
    section(
      "Phases",
      operation.phases?.length
        ? phases(operation.phases)
        : h(
            "p",
            { class: "muted" },
            operation.state === "running"
              ? `Now: ${operation.phase}, ${operation.percent} %`
              : "No phase was recorded.",
          ),
    ),
    operation.state === "failed" && section("Last lines", lastLines(operation.last_lines)),
  ];
}

/** Where an app on a site is shown with all that was done to it. */
export const deploymentHref = ({ site, app }) => `#/deployments/${encodeURIComponent(site)}/${encodeURIComponent(app)}`;

const facts = (o) =>
  card([
    ["State", badge(o.state)],
    ["Site", h("a", { href: `#/sites/${encodeURIComponent(o.site)}` }, o.site)],
    ["Deployment", h("a", { href: deploymentHref(o) }, `${o.app} on ${o.site}`)],
    ["From", o.from_version],
    ["To", o.to_version],
    [runsAs(o), o.version],
    ["Release of publication", o.publication && h("code", { class: "digest" }, o.publication)],
    ["Began by itself", o.because?.message],
    ["Requested", full(o.requested_at)],
    ["Finished", full(o.finished_at)],
    ["Took", seconds(o.seconds)],
    ["Sent to the site", o.fetched_bytes > 0 && bytes(o.fetched_bytes)],
    [
      "Strategy",
      o.strategy_id && h("a", { href: `#/strategies/${encodeURIComponent(o.strategy_id)}` }, "on its behalf"),
    ],
    ["Id", h("code", { class: "digest" }, o.operation_id)],
  ]);

/** What drivers do with which component at this moment. */
const doing = (components) =>
  table(
    [
      ["Component", (row) => row.component],
      ["Doing", (row) => row.detail, "wide"],
      ["Done", (row) => `${row.percent} %`],
    ],
    components,
    "Now",
  );

/** What the release is that is known of a site: one that failed and was not turned back may run anything. */
export const runsAs = (last) => (last?.state === "failed" && last.recovered === false ? "Ran last" : "Runs now");

const phases = (items) =>
  table(
    [
      ["Phase", (row) => row.name],
      ["Component", (row) => row.component],
      ["Outcome", (row) => badge(row.outcome)],
      ["Detail", (row) => row.detail, "wide"],
      ["Began", (row) => timeOf(row.started_at)],
      ["Took", (row) => seconds(tookSeconds(row)), "number"],
    ],
    items,
    "Phases",
  );

async function cancel(button, { operation_id: id, site }) {
  const answer = await confirm({
    title: `Cancel the operation on ${site}?`,
    text: "It stops at the next safe point, and the site returns to the release it had.",
    verb: "Cancel it",
    reason: "",
  });
  if (answer) await act(button, `Cancelled on ${site}`, "POST", at("/v1/operations/{operation_id}/cancel", id), answer);
}
