// The event stream: one connection for the whole page, read with fetch so that the token travels in a header.
// A lost connection resumes behind the last event that was seen.

import { EventParser } from "./model/event_text.js";
import { session } from "./session.js";

const SILENCE_MS = 45_000; // three missed heartbeats: a connection that looks open may be long dead
const WAITS_MS = [250, 500, 1000, 2000, 4000];

/**
 * `onEvent({type, data, subject, time})` for each event, `onState("connecting" | "live" | "reconnecting")`, and
 * `onGap()` whenever events may have been missed: what was read before must be read again.
 */
export class Stream {
  #stop = null;
  #last = null;
  #failures = 0;

  constructor(listeners) {
    this.listeners = listeners;
  }

  /** Listen from now on. */
  start() {
    this.stop();
    this.#last = null;
    this.resume();
  }

  /** Listen on from where `stop` was called; nothing if it listens. */
  resume() {
    if (!session.token || this.#stop?.signal.aborted === false) return;
    this.#stop = new AbortController();
    this.#run(this.#stop.signal);
  }

  stop() {
    this.#stop?.abort();
  }

  async #run(stopped) {
    this.listeners.onState("connecting");
    while (!stopped.aborted) {
      try {
        await this.#connect(stopped);
      } catch (error) {
        if (error.status === 401) return dispatchEvent(new CustomEvent("logged-out"));
      }
      if (stopped.aborted) return;
      this.listeners.onState("reconnecting");
      await pause(WAITS_MS[Math.min(this.#failures++, WAITS_MS.length - 1)], stopped);
    }
  }

  async #connect(stopped) {
    const watch = new Watchdog(SILENCE_MS);
    const headers = { Authorization: `Bearer ${session.token}`, Accept: "text/event-stream" };
    if (this.#last !== null) headers["Last-Event-ID"] = this.#last;
    const signal = AbortSignal.any([stopped, watch.signal]);
    try {
      const response = await fetch("/v1/events", { headers, signal, cache: "no-store" });
      if (!response.ok) throw Object.assign(new Error(response.statusText), { status: response.status });
      this.#opened();
      await this.#read(response.body, watch);
    } finally {
      watch.rest();
    }
  }

  #opened() {
    this.#failures = 0;
    this.listeners.onState("live");
    if (this.#last === null) this.listeners.onGap(); // what the views read before this moment has no successor here
  }

  async #read(body, watch) {
    const parser = new EventParser((message) => this.#take(message));
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      watch.pat();
      parser.feed(chunk.value);
    }
  }

  #take({ id, event, data }) {
    if (id) this.#last = id; // also from a heartbeat, which has no data
    if (data === undefined) return undefined;
    if (event === "reset") return this.listeners.onGap();
    const facts = JSON.parse(data);
    return this.listeners.onEvent({ ...facts, type: event });
  }
}

class Watchdog {
  #controller = new AbortController();
  #timer = 0;

  constructor(milliseconds) {
    this.milliseconds = milliseconds;
    this.signal = this.#controller.signal;
    this.pat();
  }

  pat() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), this.milliseconds);
  }

  rest() {
    clearTimeout(this.#timer);
  }
}

function pause(milliseconds, stopped) {
  return new Promise((wake) => {
    const timer = setTimeout(wake, milliseconds);
    const early = () => {
      clearTimeout(timer);
      wake();
    };
    stopped.addEventListener("abort", early, { once: true });
    addEventListener("online", early, { once: true });
  });
}
