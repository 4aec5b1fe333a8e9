// How the page answers a person: toasts for what was done or refused, dialogs before what cannot be undone.

import { command } from "./api.js";
import { rest, setOff } from "./buttons.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { faults } from "./page.js";
import { placeOf, returnTo } from "./redraw.js";
import { missingRole } from "./session.js";

const TOAST_MS = 6000;

/** Say shortly that something was done. */
export function done(text) {
  const toast = show("good", "complete", h("strong", {}, text));
  setTimeout(() => dismiss(toast), TOAST_MS);
}

/** Show why something was refused, every fault; it stays until it is closed. */
export function refused(title, error) {
  show("bad", "failed", h("strong", {}, title), faults(error));
}

function show(kind, shape, ...content) {
  const close = h(
    "button",
    { class: "quiet", type: "button", "aria-label": "Close", onclick: () => dismiss(toast) },
    icon("close"),
  );
  const role = kind === "bad" ? "alert" : "status";
  const toast = h("div", { class: `toast ${kind}`, role }, icon(shape, 18), h("div", {}, content), close);
  for (const same of toasts()) if (same.textContent === toast.textContent) same.remove();
  document.getElementById("toasts").prepend(toast);
  return toast;
}

const toasts = () => [...document.querySelectorAll(".toast")];

/** Take it away; who has closed it with the keyboard goes on at the next one, or at the top of the view. */
function dismiss(toast) {
  const held = toast.contains(document.activeElement);
  toast.remove();
  if (held) (document.querySelector(".toast button") ?? document.querySelector("main h1"))?.focus();
}

/** Escape closes what was told last; a dialog closes itself. */
export function closeByEscape() {
  addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && !document.querySelector("dialog")) toasts().slice(0, 1).forEach(dismiss);
  });
}

/** A button for people of a role; for others it is off and says why. `run(button)` is called when it is pressed. */
export function roleButton(text, role, run, kind = "") {
  const why = missingRole(role);
  const button = h("button", { type: "button", class: kind, onclick: () => run(button) }, text);
  setOff(button, why);
  return button;
}

/** The end of a form for people of a role; for others the buttons that send it are off, and it says why. */
export function formEnd(role, ...buttons) {
  const why = missingRole(role);
  for (const button of buttons) if (button.type === "submit") setOff(button, why);
  return h("div", { class: "actions end" }, why && h("p", { class: "muted" }, why), buttons);
}

/**
 * Send a command for a button: it is off meanwhile, and says what came of it. Returns the answer, null if refused.
 * `what` is a sentence for when it was done, such as "Paused autumn-rollout".
 */
export async function act(button, what, method, path, body) {
  const wake = rest(button);
  if (!wake) return null;
  try {
    const answer = await command(method, path, body, what);
    const warned = (answer.result?.warnings ?? []).map((warning) => `. Warning: ${warning}`).join("");
    done(answer.state === "sent" ? `${what}: sent, the answer is still to come` : `${what}${warned}`);
    return answer;
  } catch (error) {
    refused(`Not done: ${what}`, error);
    return null;
  } finally {
    wake();
  }
}

/** Ask before something that cannot be taken back. Resolves to {reason}, or null if the person thought again. */
export function confirm({ title, text, verb, reason = null }) {
  const field = h("input", { id: "confirm-reason", value: reason ?? "", maxlength: "1000", autocomplete: "off" });
  const dialog = h(
    "dialog",
    { "aria-labelledby": "confirm-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "confirm-title" }, title),
      h("p", {}, text),
      reason !== null &&
        h("label", { class: "field" }, h("span", {}, "Reason ", h("small", {}, "optional, for others")), field),
      h(
        "div",
        { class: "actions" },
        h("button", { value: "" }, "Cancel"),
        h("button", { value: "yes", class: "danger" }, verb),
      ),
    ),
  );
  const main = document.getElementById("main");
  const asked = placeOf(document.activeElement, main);
  document.body.append(dialog);
  dialog.showModal();
  if (reason !== null) field.focus();
  return answerOf(dialog, field, () => asked && returnTo(asked, main));
}

/** What was chosen; `back` is called after, when what had the focus before was drawn anew meanwhile. */
function answerOf(dialog, field, back) {
  // Enter in the field must not mean Cancel, the first button of the form.
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    dialog.close("yes");
  });
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (document.activeElement === document.body) back();
      resolve(dialog.returnValue === "yes" ? { reason: field.value } : null);
    });
  });
}
