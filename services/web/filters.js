// A paged table with filters: read a page at a time, the filters kept in the address so that a view can be shared.

import { get } from "./api.js";
import { rest } from "./buttons.js";
import { announce, fill, h } from "./dom.js";
import { refused } from "./feedback.js";
import { number } from "./model/format.js";
import { failure, resource } from "./page.js";
import { keepPlace } from "./redraw.js";

const PAGE = 100;
const MOST = 1000; // of a reading, and of what a browser draws anew in a blink; nobody reads more of a table
const TYPING_MS = 250;

/**
 * `controls` are inputs and selects whose names are query parameters of `path`; `show(items)` makes the content.
 * Returns the element and `reload()`.
 */
export function filtered(page, path, controls, show) {
  const state = { items: [], next: null, refused: null, asked: 0 }; // `asked` rises with each change of what is asked for
  const body = h("div");
  const form = h("form", { class: "filters", role: "search" }, controls);
  const ask = (facts) => get(path, { ...facts, ...values(form) }, page.signal);
  const read = async () => {
    const asked = state.asked;
    const found = await ask({ limit: Math.max(PAGE, Math.min(MOST, state.items.length)) }).catch(refusal);
    return asked === state.asked ? found : null; // an answer to what was asked before may come after the newer one's
  };
  const draw = () =>
    fill(
      body,
      state.refused ? failure(state.refused) : show(state.items),
      state.next && restOf(state, (button) => more(state, button, ask, () => keepPlace(body, draw))),
    );
  restore(form, page.query);
  const load = resource(page, body, read, (found) => {
    if (!found) return; // what stands there stays until the newer answer comes
    Object.assign(state, { refused: null }, found);
    draw();
  });
  listen(form, () => {
    state.items = [];
    state.asked += 1;
    remember(form);
    load();
  });
  return { element: h("div", {}, form, body), reload: load };
}

/** The way to what is not shown yet: the next page, and in the end a filter. */
function restOf({ items }, read) {
  if (items.length >= MOST)
    return h("p", { class: "muted more" }, `These are the first ${number(items.length)}. Filter to see the others.`);
  return h(
    "button",
    { type: "button", class: "more", onclick: ({ currentTarget }) => read(currentTarget) },
    "Show more",
  );
}

/** Read the next page, once however often the button is pressed, and show it with the others. */
async function more(state, button, ask, draw) {
  const wake = rest(button);
  if (!wake) return;
  state.asked += 1;
  const { asked } = state;
  try {
    const found = await ask({ limit: PAGE, cursor: state.next });
    if (asked !== state.asked) return;
    Object.assign(state, { items: state.items.concat(found.items), next: found.next });
    draw();
    announce(`${number(state.items.length)} are shown`);
  } catch (error) {
    if (error.name !== "AbortError") refused("No more could be read", error);
  } finally {
    wake();
  }
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
