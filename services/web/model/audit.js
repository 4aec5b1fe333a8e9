// The audit's words and times.

import { words } from "./format.js";

/** "belay.strategy.abort_strategy.v1" -> "abort strategy"; what the gateway does itself stands as it is. */
export const deed = (action) => words(action.split(".")[2] ?? action);

/** A point in time as a field has it: to the minute, without a zone, in the reader's own; empty for what is none. */
export function local(iso) {
  const time = Date.parse(iso ?? "");
  return time ? new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "";
}
