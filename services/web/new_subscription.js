// The form for a webhook: a chat by its ready format, a program by the standard one, or a template of one's own.

import { command, get } from "./api.js";
import { fill, h } from "./dom.js";
import { done, formEnd } from "./feedback.js";
import { checkbox, choice, field, fieldset, input, submit, summary, textarea } from "./fields.js";
import { subscriptionOf } from "./model/orders.js";
import { heading } from "./page.js";
import { navigate } from "./router.js";

const TOPICS = ["discover", "done", "error", "warning", "release"];
const FORMATS = [
  ["standard", "Standard"],
  ["slack", "Slack"],
  ["teams", "Teams"],
  ["mattermost", "Mattermost"],
  ["custom", "Own template"],
];
const SECRET = "Deliveries are signed with it by Standard Webhooks. It is sealed, and never shown again.";
const TEMPLATE =
  'JSON in whose texts Liquid is filled in, such as {{ message }}; an object with "$if" may be left out.';

export function newSubscriptionView(page) {
  const own = h("div", { hidden: true });
  const form = h(
    "form",
    { class: "card form", novalidate: true },
    summary(),
    h(
      "div",
      { class: "row" },
      field("name", "Name", input("name")),
      field("url", "Address", input("url", { type: "url", placeholder: "https://" })),
      field("secret", "Secret", input("secret", { type: "password", autocomplete: "new-password" }), SECRET),
    ),
    fieldset(
      "topics",
      "Topics",
      h(
        "div",
        { class: "checks" },
        TOPICS.map((name) => checkbox("topics", name, true, name)),
      ),
    ),
    fieldset("format", "Format", choice("format", FORMATS, "standard")),
    own,
    formEnd("operator", h("button", { type: "submit", class: "primary" }, "Add it")),
  );
  const back = { href: "#/subscriptions", text: "Webhooks" };
  page.root.append(heading("New webhook", { back }), form);
  form.addEventListener("change", () => showTemplate(page, form, own));
  form.addEventListener("submit", (event) => submit(event, form, () => send(form)));
}

/** An own template begins with the one for Slack, so that nobody begins with nothing. */
async function showTemplate(page, form, place) {
  place.hidden = form.elements.format.value !== "custom";
  if (place.hidden || place.firstChild) return;
  const text = textarea("template", { rows: 18 });
  fill(place, field("template", "Template", text, TEMPLATE));
  const { items } = await get("/v1/webhook-formats", {}, page.signal).catch(() => ({ items: [] }));
  text.value ||= JSON.stringify(items[0]?.template ?? { text: "{{ message }}" }, null, 2);
}

async function send(form) {
  const entered = new FormData(form);
  const body = subscriptionOf({ ...Object.fromEntries(entered), topics: entered.getAll("topics") });
  await command("POST", "/v1/subscriptions", body, `Webhook ${body.name}`);
  done(`${body.name} is added: send it a test`);
  navigate(`/subscriptions/${encodeURIComponent(body.name)}`);
}
