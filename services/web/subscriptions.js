// Webhooks that are told of notifications: the list, and one with what was delivered to it.

import { all, command, get } from "./api.js";
import { badge } from "./badge.js";
import { rest } from "./buttons.js";
import { fill, h, throttled } from "./dom.js";
import { act, confirm, done, refused, roleButton } from "./feedback.js";
import { select } from "./fields.js";
import { filtered } from "./filters.js";
import { icon } from "./icons.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { full, number } from "./model/format.js";
import { card, empty, heading, resource, section, table } from "./page.js";
import { navigate } from "./router.js";
import { since } from "./times.js";

const NEWS = ["subscription_changed", "deliveries_changed"];
const STATES = [["", "Any state"], "waiting", "queued", "delivered", "dead", "dropped"];

export function subscriptionsView(page) {
  const body = h("div");
  const add = h("a", { class: "button primary", href: "#/new-subscription" }, icon("plus"), "Webhook");
  page.root.append(
    heading("Webhooks", {
      back: { href: "#/notifications", text: "Notifications" },
      note: "Who is told of notifications outside of this page: a chat, a pager, a program.",
      actions: [add],
    }),
    body,
  );
  const read = resource(
    page,
    body,
    () => all("/v1/subscriptions", {}, page.signal),
    (items) => fill(body, items.length ? list(items) : empty("No webhook", "Nobody outside of this page is told yet.")),
  );
  on(["subscription_changed"], throttled(read, 300), page.signal);
}

const list = (items) =>
  table(
    [
      ["Name", ({ name }) => h("a", { href: `#/subscriptions/${encodeURIComponent(name)}` }, name)],
      ["Address", ({ url }) => url, "wide"],
      ["Format", ({ format }) => format],
      ["Topics", ({ topics }) => topics.join(", ")],
      ["State", ({ state, reason }) => [badge(state), reason && h("small", { class: "muted" }, ` ${reason}`)]],
    ],
    items,
    "Webhooks",
  );

export function subscriptionView(page) {
  const { name } = page.params;
  const facts = h("div");
  const state = select("state", STATES, "", { "aria-label": "State" });
  const deliveries = filtered(page, at("/v1/subscriptions/{name}/deliveries", name), [state], (items) =>
    items.length
      ? deliveryTable(name, items)
      : empty("No delivery", "Nothing was delivered yet, or none is in this state."),
  );
  page.root.append(facts, section("Deliveries", deliveries.element));
  const read = resource(
    page,
    facts,
    () => get(at("/v1/subscriptions/{name}", name), {}, page.signal),
    (subscription) => fill(facts, detail(subscription)),
  );
  const again = throttled(() => {
    read();
    deliveries.reload();
  }, 300);
  on(NEWS, (event) => (!event.data || event.subject === name) && again(), page.signal);
}

function detail(subscription) {
  const { name, state, reason, url, format, topics, template } = subscription;
  return [
    heading(name, { back: { href: "#/subscriptions", text: "Webhooks" }, actions: actions(subscription) }),
    state === "dead" &&
      h(
        "div",
        { class: "summary" },
        icon("failed", 18),
        h("div", {}, h("strong", {}, "Nothing is delivered to it any more"), h("p", {}, reason)),
      ),
    card([
      ["State", badge(state)],
      ["Address", url],
      ["Format", format],
      ["Topics", topics.join(", ")],
    ]),
    template && h("details", {}, h("summary", {}, "Template"), h("pre", {}, JSON.stringify(template, null, 2))),
  ];
}

function actions({ name, actions: may }) {
  return [
    roleButton("Send a test", "operator", (button) => test(button, name)),
    may.includes("enable") && roleButton("Enable", "operator", (button) => enable(button, name), "primary"),
    may.includes("redeliver") &&
      roleButton("Deliver what it missed", "operator", (button) =>
        act(button, `Sent again what ${name} missed`, "POST", at("/v1/subscriptions/{name}/redeliver", name), {
          undelivered: true,
        }),
      ),
    roleButton("Remove", "operator", (button) => remove(button, name), "danger"),
  ].filter(Boolean);
}

async function test(button, name) {
  const wake = rest(button);
  if (!wake) return;
  try {
    const { result = {} } = await command("POST", at("/v1/subscriptions/{name}/test", name), {}, `Test of ${name}`);
    const { state, status, milliseconds, reason } = result;
    if (state === "delivered") done(`${name} took it: HTTP ${status} after ${number(milliseconds)} ms`);
    else if (state === "dead") refused(`${name} did not take it`, { message: reason });
    else done("The test is under way; its outcome will stand among the deliveries");
  } catch (error) {
    refused("The test was not sent", error);
  } finally {
    wake();
  }
}

async function enable(button, name) {
  const answer = await act(button, `Enabled ${name}`, "POST", at("/v1/subscriptions/{name}/enable", name), {});
  const missed = answer?.result?.missed;
  if (missed)
    done(
      `It missed ${missed === 1 ? "1 delivery" : `${number(missed)} deliveries`}: “Deliver what it missed” sends them`,
    );
}

async function remove(button, name) {
  const sure = await confirm({
    title: `Remove ${name}?`,
    text: "It is told nothing any more; what is on its way to it is dropped, and its secret is forgotten.",
    verb: "Remove it",
  });
  if (sure && (await act(button, `Removed ${name}`, "DELETE", at("/v1/subscriptions/{name}", name))))
    navigate("/subscriptions");
}

const deliveryTable = (name, items) =>
  table(
    [
      ["What", ({ message, notification_id: id }) => (id ? message : "Test call"), "wide"],
      ["State", ({ state }) => badge(state)],
      ["Tries", ({ tries }) => tries, "number"],
      ["Answer", ({ status, milliseconds }) => answer(status, milliseconds)],
      ["Why", why, "wide"],
      ["When", ({ at: when }) => since(when)],
      ["", (row) => row.actions.includes("redeliver") && redeliver(name, row)],
    ],
    items,
    "Deliveries",
  );

const answer = (status, milliseconds) =>
  [status && `HTTP ${status}`, milliseconds !== null && `${number(milliseconds)} ms`].filter(Boolean).join(", ");

const why = ({ reason, next_try_at: next }) => [
  reason,
  next && h("small", { class: "muted" }, " next try ", h("time", { dateTime: next }, full(next))),
];

const redeliver = (name, { delivery_id: id }) =>
  roleButton("Again", "operator", (button) =>
    act(button, "It is delivered again", "POST", at("/v1/subscriptions/{name}/redeliver", name), { deliveries: [id] }),
  );
