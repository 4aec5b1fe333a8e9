// Between the stream and the views: who wants to hear of what, for as long as the view is shown.

import { Listeners } from "./model/listeners.js";
import { Stream } from "./stream.js";

const listeners = new Listeners();
const GAP = "gap";
const STATE = "state";

/** Hear of events of these types until `signal` is aborted. */
export const on = (types, handler, signal) => listeners.add(types, handler, signal);

/** Hear that events were missed: everything shown must be read again. */
export const onGap = (handler, signal) => listeners.add(GAP, handler, signal);

/** Hear how the connection is: connecting, live, reconnecting. */
export const onConnection = (handler) => listeners.add(STATE, handler);

export const stream = new Stream({
  onEvent: (event) => listeners.tell(event.type, event),
  onGap: () => listeners.tell(GAP),
  onState: (state) => listeners.tell(STATE, state),
});
