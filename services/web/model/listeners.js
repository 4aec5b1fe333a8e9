// Who wants to hear of what, for as long as they want it.

/** Handlers by the type of event that they want to hear of. */
export class Listeners {
  #handlers = new Map();

  /** Call `handler(event)` for events of these types until `signal` is aborted; for ever without one. */
  add(types, handler, signal) {
    if (signal?.aborted) return;
    for (const type of [types].flat()) {
      const handlers = this.#handlers.get(type) ?? new Set();
      this.#handlers.set(type, handlers.add(handler));
      signal?.addEventListener("abort", () => handlers.delete(handler), { once: true });
    }
  }

  tell(type, event) {
    for (const handler of this.#handlers.get(type) ?? []) handler(event);
  }
}
