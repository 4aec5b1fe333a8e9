// What can be done with a strategy now is what the API says (`actions`); here stand only the words for it.

/** What is sent for each action with a strategy. */
export const CALLS = {
  apply: ["POST", "/v1/strategies/{strategy}/apply"],
  pause: ["POST", "/v1/strategies/{strategy}/pause"],
  resume: ["POST", "/v1/strategies/{strategy}/resume"],
  recount: ["POST", "/v1/strategies/{strategy}/recount"],
  retry: ["POST", "/v1/strategies/{strategy}/retry"],
  skip: ["POST", "/v1/strategies/{strategy}/skip"],
  abort: ["POST", "/v1/strategies/{strategy}/abort"],
  cancel_running: ["POST", "/v1/strategies/{strategy}/cancel-running"],
};

/** What the main button may do, by the action: its text, and what was done then. */
const RUN = {
  apply: ["Apply", "Started"],
  pause: ["Pause", "Paused"],
  resume: ["Resume", "Resumed"],
  recount: ["Recount", "Recounted"],
};

/** `[verb, text, past]` of the main button; undefined where there is nothing to run. */
export function runOf(actions) {
  const verb = Object.keys(RUN).find((one) => actions.includes(one));
  return verb && [verb, ...RUN[verb]];
}

const STEP = { waiting: "skip", failed: "retry", aborted: "retry" };

/** What may be done with a single step in this state, by the strategy's actions; undefined where that is nothing. */
export const stepVerb = (actions, state) => (actions.includes(STEP[state]) ? STEP[state] : undefined);

/** Which of the buttons and of the field for a reason are of no use; those that are not named here always stand. */
export const needless = (actions) => ({
  undo: !actions.includes("undo"),
  run: !runOf(actions),
  retry: !actions.includes("retry"),
  cancel: !actions.includes("cancel_running"),
  reason: !runOf(actions) && !actions.includes("retry"),
});

/** Why each button that always stands is off; empty where it is on. `barred` is what keeps this person from all. */
export const reasonsOff = (actions, state, barred) => ({
  abort: barred || (actions.includes("abort") ? "" : `It is ${state}; there is nothing to abort.`),
  remove:
    barred ||
    (actions.includes("delete") ? "" : state === "needs_inspection" ? "Recount it first." : "It runs; abort it first."),
});
