// A paged table with filters: read a page at a time, the filters kept in the address so that a view can be shared.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { failure, resource } from "./page.js";

const PAGE = 100;
const TYPING_MS = 250;

/**
 * `controls` are inputs and selects whose names are query parameters of `path`; `show(items)` makes the content.
 * Returns the element and `reload()`.
 */
export function filtered(page, path, controls, show) {
  const state = { items: [], next: null, refused: null };
  const body = h("div");
  const form = h("form", { class: "filters", role: "search" }, controls);
  const read = () =>
    get(path, { limit: Math.max(PAGE, Math.min(1000, state.items.length)), ...values(form) }, page.signal).catch(
      refusal,
    );
  const more = async () => {
    const found = await get(path, { limit: PAGE, ...values(form), cursor: state.next }, page.signal);
    Object.assign(state, { items: state.items.concat(found.items), next: found.next });
    draw();
  };
  const draw = () =>
    fill(
      body,
      state.refused ? failure(state.refused) : show(state.items),
      state.next && h("button", { type: "button", class: "more", onclick: more }, "Show more"),
    );
  restore(form, page.query);
  const load = resource(page, body, read, (found) => {
    Object.assign(state, { refused: null }, found);
    draw();
  });
  listen(form, () => {
    state.items = [];
    remember(form);
    load();
  });
  return { element: h("div", {}, form, body), reload: load };
}

/** A filter that names nothing, or cannot be read, takes the place of the list: the one before would look as if it passed. */
function refusal(error) {
  if (error.status !== 422) throw error;
  return { items: [], next: null, refused: error };
}

const values = (form) => Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim()));

function restore(form, query) {
  for (const [name, value] of query) if (form.elements[name]) form.elements[name].value = value;
}

function remember(form) {
  const [path] = location.hash.split("?");
  const query = new URLSearchParams(values(form)).toString();
  history.replaceState(null, "", query ? `${path}?${query}` : path);
}

function listen(form, changed) {
  let timer = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(changed, TYPING_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed();
  });
}
