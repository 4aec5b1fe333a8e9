// What happened to a strategy, newest first. Read when something worth telling happened, from where it ended before.

import { get } from "./api.js";
import { fill, h, keyed, throttled } from "./dom.js";
import { icon } from "./icons.js";
import { Entries, shapeOfEntry } from "./model/timeline.js";
import { timeOf } from "./times.js";

const PAUSE_MS = 300;

export function timeline(page, path) {
  const state = {
    page,
    path,
    entries: new Entries(),
    all: false,
    list: h("ol", { class: "timeline", tabIndex: 0, "aria-label": "Timeline" }),
    more: h("div"),
  };
  const element = h("section", { class: "card" }, h("h2", {}, "Timeline"), state.list, state.more);
  const read = () => readOn(state);
  return { element, read, soon: throttled(read, PAUSE_MS) };
}

async function readOn(state) {
  const { page, path, entries } = state;
  const next = () => get(path, { limit: 1000, cursor: entries.cursor }, page.signal);
  try {
    while (entries.take(await next()));
  } catch (error) {
    if (error.name !== "AbortError" && error.status === undefined) throw error;
  }
  render(state);
}

function render(state) {
  const { entries, all } = state;
  keyed(state.list, entries.shown(all), (entry) => entry.number, create);
  const showAll = () => {
    state.all = true;
    render(state);
    state.list.focus();
  };
  const button = { type: "button", class: "quiet", onclick: showAll };
  fill(state.more, !all && entries.hidden > 0 && h("button", button, `Show ${entries.hidden} earlier`));
}

function create(entry) {
  const shape = shapeOfEntry(entry);
  return h(
    "li",
    { class: `tone-${shape}` },
    h("span", { class: "dot" }, icon(shape, 13)),
    h("div", {}, h("span", {}, entry.message), timeOf(entry.at, "muted")),
  );
}
