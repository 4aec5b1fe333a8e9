// One strategy as it stands: read once, then moved by events. Events carry absolute values, so that a repeated one
// changes nothing, and an older one than what was read is passed over.

import { sumOf, total } from "./counts.js";

export class Roll {
  constructor(strategy) {
    this.steps = new Map();
    this.cells = new Map(); // stage position -> its steps in order
    this.take(strategy);
  }

  /** What the API says of the strategy; steps stay. */
  take(strategy) {
    this.facts = strategy;
    this.stages = strategy.stages;
    for (const { position } of this.stages) if (!this.cells.has(position)) this.cells.set(position, []);
  }

  get id() {
    return this.facts.strategy_id;
  }

  get counts() {
    return sumOf(this.stages.map((stage) => stage.counts));
  }

  get sites() {
    return total(this.counts);
  }

  get current() {
    return this.stages.find(({ state }) => state === "running" || state === "soaking");
  }

  stage(position) {
    return this.stages.find((stage) => stage.position === position);
  }

  /** Steps as the API or an event lists them, of `at`; returns those that really changed. */
  put(items, at = null) {
    return items.map((item) => this.#put(item, item.updated_at ?? at)).filter(Boolean);
  }

  #put(item, at) {
    const known = this.steps.get(item.site);
    if (!known) return this.#add({ why: null, operation_id: null, attempt: 1, ...item, at });
    if (Date.parse(at) < Date.parse(known.at)) return null;
    const moved = known.state !== item.state || known.attempt !== (item.attempt ?? 1);
    Object.assign(known, { why: null, target: null, ...item, at });
    return moved ? known : null;
  }

  #add(step) {
    const cells = this.cells.get(step.stage) ?? [];
    this.cells.set(step.stage, cells);
    step.index = cells.push(step) - 1;
    this.steps.set(step.site, step);
    return step;
  }

  /** The first step whose site begins with, or else holds, a text; undefined where there is none. */
  find(text) {
    const steps = [...this.steps.values()];
    return steps.find(({ site }) => site.startsWith(text)) ?? steps.find(({ site }) => site.includes(text));
  }

  /** Steps in a state whose sites hold a text; null = any state. */
  matching({ state, text }) {
    return [...this.steps.values()].filter((step) => (!state || step.state === state) && step.site.includes(text));
  }

  /** Why a step waits or failed: its own reason, or that of its stage. */
  why(step) {
    return step.why ?? (step.state === "waiting" ? (this.stage(step.stage)?.why ?? null) : null);
  }

  /** An event of a stage; true if the stage is in another state than before. What the event leaves out is over. */
  moveStage({ stage: position, state, counts, max_parallel, why = null, warning = null }) {
    const stage = this.stage(position);
    if (!stage) return false; // of a plan that was not read yet
    const before = stage.state;
    Object.assign(stage, { state, counts, max_parallel, why, warning });
    return state !== before;
  }

  forecast({ stage, failure_rate, eta_low = null, eta_high = null, overdue = false }) {
    const known = this.stage(stage);
    if (known) known.forecast = { failure_rate, eta_low, eta_high, overdue };
  }
}

const OVER = ["complete", "failed", "aborted"];

/** When it started and finished, after its state became another at that time. */
export function timesAfter({ state: before, started_at }, state, at) {
  if (state === before) return {};
  if (OVER.includes(state)) return { finished_at: at };
  return { started_at: state === "applying" ? (started_at ?? at) : started_at, finished_at: null };
}
