// What is known of the site that was chosen on the board or in the list.

import { attemptsOf } from "./attempts.js";
import { badge } from "./badge.js";
import { fill, h } from "./dom.js";
import { evidenceOf } from "./evidence.js";
import { keepPlace, placeOf, returnTo } from "./redraw.js";
import { stepButton } from "./step_actions.js";
import { since } from "./times.js";

export class Inspector {
  #step = null;
  #shown = "";
  #origin = null;

  constructor(roll) {
    this.roll = roll;
    this.body = h("div");
    this.element = h(
      "section",
      { class: "card inspector", "aria-label": "Chosen site", "aria-live": "polite" },
      this.body,
    );
    this.element.addEventListener("keydown", ({ key }) => key === "Escape" && this.#leave());
    this.#hint();
  }

  #hint() {
    fill(
      this.body,
      h("h2", {}, "Site"),
      h(
        "p",
        { class: "muted" },
        "Choose a site on the board. With the keyboard: Tab to a stage, arrow keys to a site, Enter to choose it; Enter again leads here, Escape back.",
      ),
    );
  }

  show(step) {
    this.#step = step;
    this.refresh();
  }

  /** Draw again if anything of it changed. */
  refresh() {
    const step = this.#step;
    if (!step) return;
    const why = this.roll.why(step);
    const { actions, deleted } = this.roll.facts;
    const drawn = [step.site, step.state, step.attempt, step.operation_id, step.at, why, actions, deleted];
    const state = JSON.stringify(drawn);
    if (state === this.#shown) return;
    this.#shown = state;
    keepPlace(this.body, () => fill(this.body, this.#told(step, why)));
  }

  #told(step, why) {
    return [
      h("h2", {}, link("sites", step.site, step.site)),
      badge(step.state),
      why && reason(step, why),
      this.#facts(step),
      stepButton(this.roll, step),
      step.state === "failed" && step.operation_id && evidenceOf(step.operation_id),
      step.attempt > 1 && attemptsOf(this.roll.facts.strategy_id, step.site),
    ];
  }

  /** Show a site. Chosen once more with the keyboard, it is gone into; Escape leads back to where that was, `from`. */
  choose(step, from = null) {
    const again = step === this.#step && from;
    this.show(step);
    if (!again) return;
    this.#origin = placeOf(from, document.body);
    this.body.querySelector("a").focus();
  }

  #leave() {
    if (this.#origin) returnTo(this.#origin, document.body);
  }

  #facts(step) {
    const facts = [
      ["Stage", this.roll.stage(step.stage)?.name],
      ["To", step.target],
      ["Attempt", step.attempt > 1 && String(step.attempt)],
      ["Changed", step.state !== "waiting" && since(step.at)],
      ["Operation", step.operation_id && link("operations", step.operation_id, "Plan, phases and last lines")],
    ];
    return h(
      "dl",
      { class: "facts" },
      facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    );
  }
}

const link = (place, id, text) => h("a", { href: `#/${place}/${encodeURIComponent(id)}` }, text);

const reason = (step, why) =>
  h("p", { class: step.state === "failed" ? "why failed" : "why" }, h("code", {}, why.code), ` ${why.message}`);
