// The words of states, each with its shape and tone: no meaning hangs on colour alone.

import { h } from "./dom.js";
import { words } from "./format.js";
import { icon } from "./icons.js";

/** States of a step, in the order in which bars and legends show them. */
export const STEP_STATES = ["complete", "running", "waiting", "failed", "aborted"];

export const LIVE_STATES = ["applying", "paused", "aborting"];
export const ENDED_STATES = ["complete", "failed", "aborted"];

/** Word -> shape; the tone is that of the shape. Deployment statuses and operation states are words here too. */
const SHAPES = {
  applying: "running",
  aborting: "aborted",
  succeeded: "complete",
  operational: "complete",
  available: "complete",
  done: "complete",
  delivered: "complete",
  active: "complete",
  planned: "ready",
  queued: "waiting",
  new: "waiting",
  validating: "running",
  updating: "running",
  rolling_back: "running",
  recovering: "running",
  removing: "running",
  removed: "aborted",
  skipped: "aborted",
  withdrawn: "aborted",
  error: "failed",
  rejected: "failed",
  dead: "failed",
  apply_error: "failed",
  update_error: "failed",
  rollback_error: "failed",
  remove_error: "failed",
};

/** The shape of a state: one of the icons. */
export const shapeOf = (state) => SHAPES[state] ?? state;

/** A state as shape and word. */
export function badge(state, large = false) {
  return h(
    "span",
    { class: `badge tone-${shapeOf(state)}${large ? " large" : ""}` },
    icon(shapeOf(state)),
    words(state),
  );
}

/** Counts by state, summed. */
export function total(counts) {
  return STEP_STATES.reduce((sum, state) => sum + (counts?.[state] ?? 0), 0);
}

/** The sum of several counts. */
export function sumOf(parts) {
  return Object.fromEntries(STEP_STATES.map((state) => [state, parts.reduce((sum, c) => sum + (c[state] ?? 0), 0)]));
}
