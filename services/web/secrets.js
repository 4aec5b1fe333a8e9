// Secrets that connections of sites name: who set them, how many sites need them. No value ever comes back.

import { all, command } from "./api.js";
import { fill, h, throttled } from "./dom.js";
import { act, confirm, done, formEnd, roleButton } from "./feedback.js";
import { field, input, submit, summary, textarea } from "./fields.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { plural } from "./model/format.js";
import { secretOf } from "./model/orders.js";
import { empty, heading, resource, section, table } from "./page.js";
import { since } from "./times.js";

const NEWS = ["secret_changed", "secret_removed", "sites_changed", "sites_removed"];
const VALUE = "Sealed as soon as it is sent, and never shown again. A file goes with the command line.";

export function secretsView(page) {
  const body = h("div");
  const form = setForm();
  page.root.append(
    heading("Secrets", {
      back: { href: "#/sites", text: "Sites" },
      note: "Passwords and keys. A connection names one in place of the value of any of its keys.",
    }),
    body,
    section("Set a secret, or set it again", form),
  );
  const read = resource(
    page,
    body,
    () => all("/v1/secrets", {}, page.signal),
    (items) => fill(body, items.length ? list(form, items) : nobody()),
  );
  on(NEWS, throttled(read, 300), page.signal);
}

const nobody = () => empty("No secret", "Sites are reached without passwords or keys so far.");

const list = (form, items) =>
  table(
    [
      ["Name", ({ name }) => h("code", {}, name)],
      ["Version", ({ version }) => version, "number"],
      ["Set", ({ set_at: when }) => since(when)],
      ["By", ({ set_by: by }) => by],
      ["Named by", ({ sites }) => plural(sites, "site")],
      ["", (secret) => buttons(form, secret), "end"],
    ],
    items,
    "Secrets",
  );

const buttons = (form, { name, sites, actions: may }) => [
  roleButton("Set again", "operator", () => setAgain(form, name)),
  may.includes("remove") && sites === 0 && roleButton("Remove", "operator", (button) => remove(button, name), "danger"),
];

function setForm() {
  const form = h(
    "form",
    { class: "card form", novalidate: true },
    summary(),
    h(
      "div",
      { class: "row" },
      field("name", "Name", input("name")),
      field("value", "Value", textarea("value", { autocomplete: "off" }), VALUE),
    ),
    formEnd("operator", h("button", { type: "submit", class: "primary" }, "Set it")),
  );
  form.addEventListener("submit", (event) => submit(event, form, () => send(form)));
  return form;
}

function setAgain(form, name) {
  form.elements.name.value = name;
  form.elements.value.focus();
}

async function send(form) {
  const { name, value } = secretOf({ name: form.elements.name.value, value: form.elements.value.value });
  const { result = {} } = await command("PUT", at("/v1/secrets/{name}", name), { value }, `Secret ${name}`);
  form.reset(); // the value shall not stay on the screen
  done(result.version > 1 ? `${name} is set again: what begins from now on gets the new value` : `${name} is set`);
}

async function remove(button, name) {
  const sure = await confirm({ title: `Remove ${name}?`, text: "Its value is forgotten.", verb: "Remove it" });
  if (sure) await act(button, `Removed ${name}`, "DELETE", at("/v1/secrets/{name}", name));
}
