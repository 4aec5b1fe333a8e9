// Points in time as elements: how long ago, which stays true while the page is open, or when exactly.

import { h, setText } from "./dom.js";
import { ago, clock, full } from "./model/format.js";

const AGAIN_MS = 15_000;

/** How long ago it was, with the exact time on the pointer. */
export const since = (at, kind = null) =>
  h("time", { class: kind, dateTime: at, title: full(at), "data-since": at }, ago(at));

/** The time of day, with the whole of it on the pointer. */
export const timeOf = (at, kind = null) => h("time", { class: kind, dateTime: at, title: full(at) }, clock(at));

/** Somebody may look at the same view for hours: what was a minute ago must not say so for ever. */
export function keepTimes() {
  setInterval(() => {
    for (const element of document.querySelectorAll("[data-since]")) setText(element, ago(element.dataset.since));
  }, AGAIN_MS);
}
