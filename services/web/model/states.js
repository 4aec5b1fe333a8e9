// The words of states, and the shape of each: no meaning hangs on colour alone.

/** States of a step, in the order in which bars and legends show them. */
export const STEP_STATES = ["complete", "running", "waiting", "failed", "aborted"];

export const LIVE_STATES = ["applying", "paused", "aborting", "needs_inspection"];
export const ENDED_STATES = ["complete", "failed", "aborted"];

/** What an app on a site may be doing. */
export const DEPLOYMENT_STATUSES = [
  "new",
  "operational",
  "applying",
  "apply_error",
  "updating",
  "update_error",
  "rolling_back",
  "rollback_error",
  "recovering",
  "removing",
  "remove_error",
  "removed",
];

/** Word -> shape; the tone is that of the shape. Deployment statuses and operation states are words here too. */
const SHAPES = {
  applying: "running",
  aborting: "aborted",
  needs_inspection: "failed",
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
  preparing: "running",
  prepared: "complete",
  updating: "running",
  rolling_back: "running",
  recovering: "running",
  removing: "running",
  removed: "aborted",
  updated: "complete",
  left: "aborted",
  stopping: "aborted",
  skipped: "aborted",
  withdrawn: "aborted",
  error: "failed",
  rejected: "failed",
  barred: "failed",
  dead: "failed",
  apply_error: "failed",
  update_error: "failed",
  rollback_error: "failed",
  remove_error: "failed",
  online: "complete",
  offline: "failed",
  unknown: "waiting",
  critical: "failed",
  major: "failed",
  minor: "warning",
};

/** The shape of a state: one of the icons; a word that is not known here is its own. */
export const shapeOf = (state) => (Object.hasOwn(SHAPES, state) ? SHAPES[state] : state);
