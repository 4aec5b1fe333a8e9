// Between the stream and the views: who wants to hear of what, for as long as the view is shown.

import { Stream } from "./stream.js";

const listeners = new Map();
const GAP = "gap";
const STATE = "state";

/** Hear of events of these types until `signal` is aborted. */
export function on(types, handler, signal) {
  for (const type of [types].flat()) {
    if (!listeners.has(type)) listeners.set(type, new Set());
    listeners.get(type).add(handler);
    signal?.addEventListener("abort", () => listeners.get(type).delete(handler));
  }
}

/** Hear that events were missed: everything shown must be read again. */
export const onGap = (handler, signal) => on(GAP, handler, signal);

/** Hear how the connection is: connecting, live, reconnecting. */
export const onConnection = (handler) => on(STATE, handler);

function tell(type, event) {
  for (const handler of listeners.get(type) ?? []) handler(event);
}

export const stream = new Stream({
  onEvent: (event) => tell(event.type, event),
  onGap: () => tell(GAP),
  onState: (state) => tell(STATE, state),
});
