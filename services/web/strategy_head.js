// The head of a strategy's page: what it is, how it stands, what can be done, what the monitor advises.

import { badge } from "./badge.js";
import { fill, h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { shareOf } from "./model/counts.js";
import { title } from "./page.js";
import { bar } from "./progress.js";
import { actionBar } from "./strategy_actions.js";
import { aftermathOf } from "./strategy_aftermath.js";
import { figures, outlook } from "./strategy_figures.js";
import { subtitle } from "./strategy_plan.js";

export class StrategyHead {
  constructor(roll, { onFilter, onPick, release }) {
    this.roll = roll;
    this.subtitle = h("div");
    this.figures = figures(roll, onFilter);
    this.aftermath = aftermathOf(roll, { onPick, onMore: () => this.figures.press("failed") });
    this.actions = actionBar(roll);
    this.total = bar("Whole strategy");
    this.outlook = outlook(roll);
    this.state = h("span", { class: "state" });
    this.why = h("span");
    this.share = h("strong");
    this.advice = h("div", { role: "alert" });
    this.element = h(
      "header",
      { class: "strategy-top" },
      h("a", { class: "back", href: "#/" }, icon("back"), "Strategies"),
      this.#heading(),
      this.advice,
      release,
      this.#overview(),
    );
  }

  #heading() {
    const name = h("div", { class: "title-row" }, title(this.roll.facts.name), this.state);
    return h("div", { class: "heading" }, h("div", {}, name, this.subtitle), this.actions.element);
  }

  #overview() {
    const lead = h("p", { class: "lead" }, this.share, this.why);
    return h(
      "section",
      { class: "card overview", "aria-label": "Progress" },
      h("div", { class: "overview-head" }, lead, this.outlook.element),
      this.total,
      this.figures.element,
      this.aftermath.element,
    );
  }

  /** Show the strategy as it stands now. */
  update() {
    const { facts, counts } = this.roll;
    if (this.state.dataset.state !== facts.state) fill(this.state, badge(facts.state, true));
    this.state.dataset.state = facts.state;
    this.#showAim();
    setText(this.why, facts.deleted ? "This strategy was deleted; its history stays." : (facts.why?.message ?? ""));
    setText(this.share, shareOf(counts));
    this.#showWarnings();
    for (const part of [this.figures, this.outlook, this.actions, this.aftermath]) part.update();
    this.total.update(counts);
  }

  /** One that waits for its release knows neither that nor its sites before it is planned. */
  #showAim() {
    const key = JSON.stringify([this.roll.facts.spec?.version, this.roll.sites, this.roll.stages.length]);
    if (this.subtitle.dataset.key === key) return;
    this.subtitle.dataset.key = key;
    fill(this.subtitle, subtitle(this.roll));
  }

  /** What the monitor advises is part of each stage, for everybody who looks. */
  #showWarnings() {
    const warned = this.roll.stages.filter(({ warning }) => warning);
    const text = warned.map(({ name, warning }) => `Stage ${name}: ${warning.message}`).join("\n");
    if (this.advice.dataset.text === text) return;
    this.advice.dataset.text = text;
    const line = ({ name, warning }) =>
      h("p", { class: "advice" }, icon("warning"), h("span", {}, h("strong", {}, `Stage ${name} `), warning.message));
    fill(this.advice, warned.map(line));
  }
}
