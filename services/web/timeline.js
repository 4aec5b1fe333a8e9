// What happened to a strategy, newest first. Read when something worth telling happened, from where it ended before.

import { get } from "./api.js";
import { fill, h, keyed, throttled } from "./dom.js";
import { clock, full } from "./format.js";
import { icon } from "./icons.js";
import { shapeOf } from "./states.js";

const AT_FIRST = 60;
const PAUSE_MS = 300;
const SHAPE_OF_KIND = { site: "failed", advice: "warning" };

export function timeline(page, path) {
  const state = {
    page,
    path,
    earlier: [],
    cursor: null,
    tail: [],
    all: false,
    list: h("ol", { class: "timeline" }),
    more: h("div"),
  };
  const element = h("section", { class: "card" }, h("h2", {}, "Timeline"), state.list, state.more);
  const read = () => readOn(state);
  return { element, read, soon: throttled(read, PAUSE_MS) };
}

/** Full pages never change, so only the last one is read again. */
async function readOn(state) {
  let next = state.cursor;
  try {
    do {
      const page = await get(state.path, { limit: 1000, cursor: next }, state.page.signal);
      state.tail = page.items;
      next = page.next;
      if (next) Object.assign(state, { earlier: state.earlier.concat(page.items), cursor: next, tail: [] });
    } while (next);
  } catch (error) {
    if (error.name !== "AbortError" && error.status === undefined) throw error;
  }
  render(state);
}

function render(state) {
  const entries = state.earlier.concat(state.tail).map((entry, number) => ({ ...entry, number }));
  const shown = (state.all ? entries : entries.slice(-AT_FIRST)).reverse();
  keyed(state.list, shown, (entry) => entry.number, create);
  const hidden = entries.length - shown.length;
  const showAll = () => {
    state.all = true;
    render(state);
  };
  fill(
    state.more,
    hidden > 0 && h("button", { type: "button", class: "quiet", onclick: showAll }, `Show ${hidden} earlier`),
  );
}

function create({ at, kind, code, message }) {
  const shape = SHAPE_OF_KIND[kind] ?? shapeOf(kind === "strategy" ? message.split(":")[0] : code);
  return h(
    "li",
    { class: `tone-${shape}` },
    h("span", { class: "dot" }, icon(shape, 13)),
    h("div", {}, h("span", {}, message), h("time", { class: "muted", title: full(at) }, clock(at))),
  );
}
