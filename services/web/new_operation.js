// One job on one site, outside of any strategy; its plan can be seen before.

import { all, command } from "./api.js";
import { asReleased } from "./as_released.js";
import { fill, h } from "./dom.js";
import { done, formEnd } from "./feedback.js";
import { checkbox, choice, field, fieldset, input, select, setOptions, submit, summary } from "./fields.js";
import { operationOf } from "./model/orders.js";
import { failure, heading } from "./page.js";
import { previewOf } from "./preview.js";
import { navigate } from "./router.js";

const KINDS = [
  ["update", "Update"],
  ["apply", "Apply"],
  ["rollback", "Roll back"],
  ["recover", "Recover"],
  ["remove", "Remove"],
  ["prestage", "Prestage"],
];

export function newOperationView(page) {
  const app = select("app", [["", "Choose an app"]]);
  const version = select("version", [["", "Choose a release"]]);
  const plan = h("div", { "aria-live": "polite" });
  const form = h(
    "form",
    { class: "card form", novalidate: true },
    summary(),
    fieldset("kind", "What", choice("kind", KINDS, "update")),
    h(
      "div",
      { class: "row" },
      field("site", "Site", input("site", { value: page.query.get("site") ?? "" })),
      field("app", "App", app),
      field("version", "Release to reach", version, "A roll back may leave it out: then the one before."),
    ),
    more(),
    plan,
    formEnd("operator", ...buttons()),
  );
  page.root.append(heading("Operation on one site", { back: { href: "#/operations", text: "Operations" } }), form);
  form.addEventListener("submit", (event) => {
    const preview = event.submitter?.value !== "run";
    return submit(event, form, () => send(form, plan, preview));
  });
  form.addEventListener("change", () => fill(plan));
  offer(page, app, version, form);
}

/** What is seldom needed. */
const more = () =>
  h(
    "details",
    {},
    h("summary", {}, "More"),
    h(
      "div",
      { class: "row" },
      field("timeout_seconds", "Ends after, in seconds", input("timeout_seconds"), "Empty = as the release says"),
      asReleased(),
    ),
    checkbox("only_changes", "Apply: leave alone what is unchanged"),
    checkbox("force", "Prestage: also while alarms that affect management are active"),
  );

const buttons = () => [
  h("button", { type: "submit", value: "preview" }, "Show the plan"),
  h("button", { type: "submit", value: "run", class: "primary" }, "Run it"),
];

async function offer(page, app, version, form) {
  try {
    const [apps, releases] = await Promise.all([
      all("/v1/apps", {}, page.signal),
      all("/v1/releases", {}, page.signal),
    ]);
    const versions = () =>
      releases.filter((one) => one.app === app.value && one.state === "available").map((one) => one.version);
    const offered = () => setOptions(version, [["", "Choose a release"], ...versions()]);
    setOptions(app, [["", "Choose an app"], ...apps.map((one) => one.app)], page.query.get("app") ?? app.value);
    app.addEventListener("change", offered);
    offered();
  } catch (error) {
    if (error.name !== "AbortError") form.prepend(failure(error));
  }
}

async function send(form, plan, preview) {
  const order = orderIn(form);
  const body = preview ? { ...order, preview } : order;
  const answer = await command("POST", "/v1/operations", body, `${order.kind} on ${order.site}`);
  if (!preview) return leave(order, answer);
  const same = JSON.stringify(orderIn(form)) === JSON.stringify(order);
  if (same) fill(plan, ...previewOf(answer.result ?? {}, order.kind)); // else it is the plan of what the form said before
}

const orderIn = (form) => operationOf(Object.fromEntries(new FormData(form)));

function leave({ kind, site }, { command_id: id }) {
  done(`${kind} on ${site} is queued`);
  navigate(`/operations/${encodeURIComponent(id)}`);
}
