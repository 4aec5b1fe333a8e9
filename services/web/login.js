// The way in: a token, checked by asking the gateway who it belongs to.

import { get } from "./api.js";
import { rest } from "./buttons.js";
import { fill, h } from "./dom.js";
import { faults } from "./page.js";
import { drop, keep, session } from "./session.js";

/** Learn who the kept token belongs to. Raises a Problem when it is refused. */
export async function whoAmI() {
  Object.assign(session, await get("/v1/me"));
}

/** Ask for a token until one is good. `why` is shown when a token stopped to work. */
export function askForToken(root, why = null) {
  return new Promise((resolve) => {
    const field = h("input", {
      id: "token",
      type: "password",
      autocomplete: "current-password",
      required: true,
      spellcheck: "false",
    });
    const trouble = h("div", { role: "alert" }, why);
    const button = h("button", { class: "primary", type: "submit" }, "Log in");
    const form = h("form", { class: "login card" }, brand(), label(field), trouble, button, hint());
    form.addEventListener("submit", (event) => enter(event, { field, trouble, button, resolve }));
    fill(root, form);
    field.focus();
  });
}

const brand = () =>
  h(
    "div",
    { class: "login-brand" },
    h("img", { src: "/static/logo.svg", alt: "", width: 44, height: 44 }),
    h("h1", {}, "Belay"),
    h("p", { class: "muted" }, "Fleet upgrades with a rope on"),
  );

const label = (field) => h("label", { class: "field" }, h("span", {}, "Token"), field);

const hint = () =>
  h(
    "p",
    { class: "muted small" },
    "The first admin token is in ",
    h("code", {}, "admin.token"),
    " in Belay’s home; ",
    h("code", {}, "belay token create"),
    " makes further ones.",
  );

async function enter(event, { field, trouble, button, resolve }) {
  event.preventDefault();
  const wake = rest(button);
  if (!wake) return;
  keep(field.value);
  try {
    await whoAmI();
    resolve();
  } catch (error) {
    drop();
    fill(
      trouble,
      error.status === 401 ? "This token is not known here. Check that it was copied whole." : faults(error),
    );
    field.select();
  } finally {
    wake();
  }
}
