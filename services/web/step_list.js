// The sites of a strategy as a table: what the board shows, for those who would rather read.

import { badge } from "./badge.js";
import { fill, h, throttled } from "./dom.js";
import { number } from "./model/format.js";
import { empty, table } from "./page.js";
import { keepPlace } from "./redraw.js";

const AT_ONCE = 200;
const PAUSE_MS = 250; // many sites change in a second; nobody reads a table that fast

const operation = ({ operation_id: id, site }) =>
  h("a", { href: `#/operations/${encodeURIComponent(id)}`, "aria-label": `Operation on ${site}` }, "Open");

export class StepList {
  #filter = { state: null, text: "" };
  #shown = AT_ONCE;

  constructor(roll, onPick) {
    this.roll = roll;
    this.onPick = onPick;
    this.element = h("div", { class: "card", hidden: true });
    this.draw = throttled(() => this.#render(), PAUSE_MS);
  }

  show(visible) {
    this.element.hidden = !visible;
    this.moved();
  }

  filter(change) {
    Object.assign(this.#filter, change);
    this.#shown = AT_ONCE;
    this.moved();
  }

  moved() {
    if (!this.element.hidden) this.draw();
  }

  #render() {
    keepPlace(this.element, () => this.#fill());
  }

  #fill() {
    const steps = this.roll.matching(this.#filter);
    const more = () => {
      this.#shown += AT_ONCE;
      this.draw();
    };
    const content = steps.length
      ? table(this.#columns(), steps.slice(0, this.#shown), "Sites of this strategy")
      : empty("No such site", "No site of this strategy matches.");
    fill(
      this.element,
      content,
      steps.length > this.#shown &&
        h("button", { type: "button", onclick: more }, `Show more of ${number(steps.length)}`),
    );
  }

  /** A press by the keyboard is a click of no finger. */
  #pick(step) {
    return ({ detail, currentTarget }) => this.onPick(step, detail === 0 ? currentTarget : null);
  }

  #columns() {
    return [
      ["Site", (step) => h("button", { type: "button", class: "link", onclick: this.#pick(step) }, step.site)],
      ["Stage", (step) => this.roll.stage(step.stage)?.name ?? ""],
      ["State", (step) => badge(step.state)],
      ...(this.roll.facts.targets?.length ? [["To", (step) => step.target ?? ""]] : []),
      ["Attempt", (step) => step.attempt, "number"],
      ["Why", (step) => this.roll.why(step)?.message ?? "", "wide"],
      ["Operation", (step) => step.operation_id && operation(step)],
    ];
  }
}
