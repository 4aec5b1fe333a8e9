// A state as people see it: its shape, its word and its tone.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { words } from "./model/format.js";
import { shapeOf } from "./model/states.js";

/** A state as shape and word. */
export function badge(state, large = false) {
  return h(
    "span",
    { class: `badge tone-${shapeOf(state)}${large ? " large" : ""}` },
    icon(shapeOf(state)),
    words(state),
  );
}
