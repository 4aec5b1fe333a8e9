// Sites counted by the state of their step, and what is said of the counts.

import { number, percent } from "./format.js";
import { STEP_STATES } from "./states.js";

/** Counts by state, summed. */
export function total(counts) {
  return STEP_STATES.reduce((sum, state) => sum + (counts?.[state] ?? 0), 0);
}

/** The sum of several counts. */
export function sumOf(parts) {
  return Object.fromEntries(STEP_STATES.map((state) => [state, parts.reduce((sum, c) => sum + (c[state] ?? 0), 0)]));
}

/** How much is complete: 100 % only when all of it is. */
export const shareOf = (counts) =>
  total(counts) ? percent(Math.floor((1000 * counts.complete) / total(counts)) / 1000) : "";

/** "412 of 1,000 complete, 60 running, 8 failed" */
export function inWords(counts) {
  const rest = ["running", "failed", "aborted"].filter((state) => counts[state]);
  const first = `${number(counts.complete)} of ${number(total(counts))} complete`;
  return [first, ...rest.map((state) => `${number(counts[state])} ${state}`)].join(", ");
}
