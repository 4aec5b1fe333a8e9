// Forms whose faults stand beside their fields. A field is known by the path that the API uses for it.

import { rest } from "./buttons.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { headline, placeOf } from "./model/problem.js";

const CONTROLS = "input, select, textarea";

let serial = 0;

/** A labelled control for the field `path`; faults with that path, or one below it, are shown under it. */
export function field(path, label, control, hint = null) {
  const id = `field-${++serial}`;
  control.id = id;
  control.setAttribute("aria-describedby", `${id}-hint ${id}-fault`);
  return h(
    "div",
    { class: "field", "data-path": path },
    h("label", { htmlFor: id }, label),
    control,
    hint && h("small", { id: `${id}-hint` }, hint),
    h("div", { id: `${id}-fault`, class: "fault" }),
  );
}

/** Several controls that are one field. */
export function fieldset(path, label, ...content) {
  return h(
    "fieldset",
    { class: "field", "data-path": path },
    h("legend", {}, label),
    content,
    h("div", { class: "fault" }),
  );
}

export const input = (name, props = {}) => h("input", { name, autocomplete: "off", spellcheck: "false", ...props });

export const textarea = (name, props = {}) => h("textarea", { name, rows: 3, spellcheck: "false", ...props });

/** A list to choose from; options are texts or `[value, text]`. */
export function select(name, options, value = "", props = {}) {
  const element = h("select", { name, ...props });
  setOptions(element, options, value);
  return element;
}

export function setOptions(element, options, value = element.value) {
  fill(
    element,
    options.map((option) => {
      const [key, text] = [option].flat();
      return h("option", { value: key }, text ?? key);
    }),
  );
  if ([...element.options].some((option) => option.value === value)) element.value = value;
}

export function checkbox(name, text, checked = false, value = "on") {
  return h("label", { class: "check" }, h("input", { type: "checkbox", name, value, checked }), h("span", {}, text));
}

/** One of several, as a row of buttons. */
export function choice(name, options, value) {
  const one = ([key, text]) =>
    h("label", {}, h("input", { type: "radio", name, value: key, checked: key === value }), h("span", {}, text));
  return h("div", { class: "segmented", role: "radiogroup" }, options.map(one));
}

/**
 * Show every fault: beside its field where there is one, and all of them at the top, where the focus goes.
 * `form` holds an element with class `summary`.
 */
export function showFaults(form, problem) {
  clearFaults(form);
  const placed = problem.faults.map((fault) => ({ ...fault, place: fieldOf(form, fault) }));
  for (const { place, message } of placed) if (place) mark(place, message);
  const summary = form.querySelector(".summary");
  fill(
    summary,
    icon("failed", 18),
    h(
      "div",
      {},
      h("strong", {}, headline(problem)),
      placed.length ? h("ul", {}, placed.map(line)) : h("p", {}, problem.message),
    ),
  );
  summary.hidden = false;
  summary.focus();
}

/** Do what a form is for: its button rests meanwhile, and faults stand beside their fields. */
export async function submit(event, form, work) {
  event.preventDefault();
  const wake = rest(event.submitter ?? form);
  if (!wake) return;
  clearFaults(form);
  try {
    await work();
  } catch (error) {
    if (!error.faults) throw error;
    showFaults(form, error);
  } finally {
    wake();
  }
}

/** The element that takes the faults of a form; it stands at its top. */
export const summary = () => h("div", { class: "summary", tabIndex: -1, role: "alert", hidden: true });

export function clearFaults(form) {
  form.querySelector(".summary").hidden = true;
  for (const element of form.querySelectorAll(".field > .fault")) fill(element);
  for (const element of form.querySelectorAll("[aria-invalid]")) element.removeAttribute("aria-invalid");
}

/** The field that the fault is about, undefined where none of the form is. */
function fieldOf(form, fault) {
  const fields = [...form.querySelectorAll(".field[data-path]")];
  const path = placeOf(
    fault,
    fields.map(({ dataset }) => dataset.path),
  );
  return fields.find(({ dataset }) => dataset.path === path);
}

function mark(place, message) {
  place.querySelector(":scope > .fault").append(h("p", {}, icon("failed", 13), message));
  for (const control of place.querySelectorAll(CONTROLS)) control.setAttribute("aria-invalid", "true");
}

function line({ field: path, message, place }) {
  const go = () => place.querySelector(CONTROLS)?.focus();
  return h(
    "li",
    {},
    place ? h("button", { type: "button", class: "link", onclick: go }, labelOf(place)) : path && h("code", {}, path),
    " ",
    message,
  );
}

const labelOf = (place) => place.querySelector("label, legend").textContent;
