// A form that is folded away behind a line until somebody wants it.

import { h } from "./dom.js";
import { formEnd } from "./feedback.js";
import { submit, summary } from "./fields.js";

/** `send(form)` is called when it is sent; done, it is folded away and emptied. `role` is whom it is for. */
export function folded(name, { role = "operator", verb, fields, send }) {
  const form = h(
    "form",
    { class: "form", novalidate: true, "aria-label": name },
    summary(),
    fields,
    formEnd(role, h("button", { type: "submit", class: "primary" }, verb)),
  );
  const line = h("summary", {}, name);
  const details = h("details", { class: "card" }, line, form);
  form.addEventListener("submit", (event) =>
    submit(event, form, async () => {
      await send(form);
      form.reset();
      details.open = false;
      if (form.contains(document.activeElement)) line.focus(); // not the button, which is folded away with it
    }),
  );
  return details;
}

/** The values of all fields of a form by their names. */
export const valuesOf = (form) => Object.fromEntries(new FormData(form));

/** Whether a person has a form of this part open: then it must not be drawn anew under their hands. */
export const inUse = (root) => root.querySelector("details[open] form") !== null;
