// The keys that sign the bundles of an app: from the first one on it takes signed bundles only.

import { command } from "./api.js";
import { h } from "./dom.js";
import { act, confirm, done, roleButton } from "./feedback.js";
import { field, input } from "./fields.js";
import { folded, valuesOf } from "./folded.js";
import { at } from "./model/address.js";
import { full } from "./model/format.js";
import { keyOf } from "./model/orders.js";
import { section, table } from "./page.js";
import { since } from "./times.js";

export const appKeys = (app, keys) =>
  section("Signed with", keys.length ? table(COLUMNS, keys, "Keys") : unsigned(), keyForm(app));

const unsigned = () => h("p", { class: "muted" }, "No key: bundles need no signature.");

const COLUMNS = [
  ["Key", ({ name }) => name],
  ["Public key", ({ public_key: key }) => h("code", { class: "digest" }, key), "wide"],
  ["Expires", ({ expires_at: end }) => (end ? full(end) : "never")],
  ["Set", ({ set_at: when, set_by: by }) => [since(when), ` by ${by}`]],
  [
    "",
    (key) => key.actions.includes("remove") && roleButton("Remove", "admin", (button) => remove(button, key), "danger"),
    "end",
  ],
];

const keyForm = (app) =>
  folded("Trust a key", {
    role: "admin",
    verb: "Trust it",
    fields: h(
      "div",
      { class: "row" },
      field("name", "Name", input("name")),
      field("public_key", "Public key", input("public_key"), "Ed25519, 32 bytes in base64"),
      field(
        "expires_at",
        "Expires",
        input("expires_at", { type: "datetime-local" }),
        "Then it signs nothing new; empty = never",
      ),
    ),
    send: async (form) => {
      const { name, ...key } = keyOf(valuesOf(form));
      await command("PUT", at("/v1/apps/{app}/keys/{name}", app, name), key, `Key ${name}`);
      done(`${app} takes bundles that ${name} has signed`);
    },
  });

async function remove(button, { app, name }) {
  const sure = await confirm({
    title: `Trust ${name} no more?`,
    text: "Bundles that it signed are refused from now on. What is published stays.",
    verb: "Remove it",
  });
  if (sure) await act(button, `Removed ${name}`, "DELETE", at("/v1/apps/{app}/keys/{name}", app, name));
}
