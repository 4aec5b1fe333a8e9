// What can be done with a strategy in its state, and why something cannot.

import { LIVE_STATES } from "./states.js";

/** What its main button does: verb of the API, text, and what was done then. */
const RUN = {
  ready: ["apply", "Apply", "Started"],
  applying: ["pause", "Pause", "Paused"],
  paused: ["resume", "Resume", "Resumed"],
};
/** A paused one of which nothing runs is aborted by it. */
const UNDOABLE = ["paused", "complete", "failed", "aborted"];
const ABORTABLE = ["ready", "applying", "paused"];
const RETRYABLE = ["failed", "aborted"];
const DELETABLE = ["ready", "complete", "failed", "aborted"];

/** `[verb, text, past]` of the main button; undefined where there is nothing to run. */
export const runOf = (state) => RUN[state];

/** Which of the buttons and of the field for a reason are of no use; those that are not named here always stand. */
export const needless = (state, counts) => ({
  undo: !UNDOABLE.includes(state) || counts.complete + counts.failed === 0,
  run: !RUN[state],
  retry: !RETRYABLE.includes(state),
  cancel: !LIVE_STATES.includes(state) || counts.running === 0,
  reason: !RUN[state] && !RETRYABLE.includes(state),
});

/** Why each button is off; empty where it is on. `barred` is what keeps this person from all of them. */
export const reasonsOff = (state, counts, barred) => ({
  undo: barred || (counts.running ? "Sites are still running; wait until they have ended." : ""),
  run: barred,
  retry: barred,
  cancel: barred,
  abort: barred || (ABORTABLE.includes(state) ? "" : `It is ${state}; there is nothing to abort.`),
  remove: barred || (DELETABLE.includes(state) ? "" : "It runs; abort it first."),
});
