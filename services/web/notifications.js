// Notifications: what people should know, the unread ones counted in the navigation.

import { command, get } from "./api.js";
import { h, throttled } from "./dom.js";
import { refused, roleButton } from "./feedback.js";
import { select } from "./fields.js";
import { filtered } from "./filters.js";
import { icon } from "./icons.js";
import { on, onGap } from "./live.js";
import { shapeOf } from "./model/states.js";
import { empty, heading } from "./page.js";
import { session } from "./session.js";
import { showUnread } from "./shell.js";
import { since } from "./times.js";

const NEWS = ["notification_raised", "notifications_read"];
const TOPICS = [["", "All topics"], "discover", "done", "error", "warning", "release"];

let following = false;

/** Keep the number of unread notifications in the navigation right. */
export function followUnread() {
  const count = throttled(async () => {
    if (!session.token) return;
    const { items } = await get("/v1/notifications", { unread: true, limit: 100 }).catch(() => ({ items: [] }));
    showUnread(items.length);
  }, 500);
  count();
  if (following) return;
  following = true;
  on(NEWS, count);
  onGap(count);
}

export function notificationsView(page) {
  const topic = select("topic", TOPICS, "", { "aria-label": "Topic" });
  const unread = select(
    "unread",
    [
      ["", "Read and unread"],
      ["true", "Unread"],
    ],
    "",
    { "aria-label": "Read or unread" },
  );
  let newest = 0;
  const all = roleButton("Mark all as read", "operator", () => read({ up_to: newest }));
  const list = filtered(page, "/v1/notifications", [topic, unread], (items) => {
    newest = Math.max(newest, ...items.map(({ notification_id: id }) => id));
    all.hidden = !items.some((item) => !item.read);
    return items.length
      ? h("ul", { class: "notices card" }, items.map(notice))
      : empty("Nothing to tell", "Releases, failures and finished strategies are told here.");
  });
  const webhooks = h("a", { class: "button", href: "#/subscriptions" }, "Webhooks");
  page.root.append(heading("Notifications", { actions: [all, webhooks] }), list.element);
  on(NEWS, throttled(list.reload, 300), page.signal);
}

function notice(item) {
  const { notification_id: id, topic, message, link, raised_at: at, failed } = item;
  const mark = () => read({ ids: [id] });
  const text = link
    ? h("a", { href: link.replace(/^\/v1/, "#"), onclick: () => !item.read && mark() }, message)
    : h("span", {}, message);
  const button =
    item.actions.includes("mark_read") &&
    h("button", { type: "button", class: "quiet", onclick: mark }, "Mark as read");
  return h(
    "li",
    { class: `tone-${shapeOf(topic)}${item.read ? "" : " unread"}` },
    h("span", { class: "dot", title: topic }, icon(shapeOf(topic), 15)),
    h(
      "div",
      {},
      h("p", {}, !item.read && h("span", { class: "unseen" }, "Unread: "), text),
      failed.length > 0 && h("p", {}, "What it did and said last: ", failed.map(operation)),
      h("p", { class: "muted" }, topic, " · ", since(at)),
    ),
    button,
  );
}

const operation = ({ operation_id: id, site }, number) => [
  number > 0 && ", ",
  h("a", { href: `#/operations/${encodeURIComponent(id)}` }, site),
];

async function read(which) {
  try {
    await command("POST", "/v1/notifications/read", which, "Mark as read");
  } catch (error) {
    refused("Not marked as read", error);
  }
}
