// What happened to something, in the order in which it is told, read page by page.

import { shapeOf } from "./states.js";

const AT_FIRST = 60;
const SHAPE_OF_KIND = { site: "failed", advice: "warning" };

/** Entries as pages bring them, the oldest first. A full page never changes, so only the last one is read again. */
export class Entries {
  #earlier = [];
  #tail = [];

  /** Where to read on: the beginning of the page that may have grown. */
  cursor = null;

  /** Take a page of the API; true if another follows. */
  take({ items, next }) {
    this.#tail = items;
    if (!next) return false;
    this.#earlier = this.#earlier.concat(items);
    this.#tail = [];
    this.cursor = next;
    return true;
  }

  /** The newest first, each with its number for ever; the latest few, or all of them. */
  shown(all = false) {
    const entries = this.#earlier.concat(this.#tail).map((entry, number) => ({ ...entry, number }));
    return (all ? entries : entries.slice(-AT_FIRST)).reverse();
  }

  /** How many are not among the latest few. */
  get hidden() {
    return Math.max(0, this.#earlier.length + this.#tail.length - AT_FIRST);
  }
}

/** The shape of an entry: that of its kind, or of the state that it tells of. */
export function shapeOfEntry({ kind, code, message }) {
  return SHAPE_OF_KIND[kind] ?? shapeOf(kind === "strategy" ? message.split(":")[0] : code);
}
