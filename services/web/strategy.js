// One strategy: how it stands, what can be done, every site on the board, what happened.

import { get, pages } from "./api.js";
import { awaited } from "./awaited.js";
import { Board } from "./board.js";
import { announce, fill, h, perFrame, setText, throttled } from "./dom.js";
import { Inspector } from "./inspector.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { Roll, timesAfter } from "./model/roll.js";
import { publicationOf } from "./model/waiting.js";
import { failure, resource } from "./page.js";
import { StepList } from "./step_list.js";
import { StrategyHead } from "./strategy_head.js";
import { excludedSites, settings, spreading } from "./strategy_plan.js";
import { timeline } from "./timeline.js";

export function strategyView(page) {
  let view = null;
  const root = h("div");
  page.root.append(root);
  const load = resource(
    page,
    root,
    () => get(at("/v1/strategies/{strategy}", page.params.id), {}, page.signal),
    (strategy) => {
      view ??= new StrategyView(page, root, strategy, load);
      view.take(strategy);
    },
  );
}

class StrategyView {
  constructor(page, root, strategy, reload) {
    this.page = page;
    this.roll = new Roll(strategy);
    this.reload = throttled(reload, 500);
    this.draw = perFrame(() => this.render());
    this.build();
    fill(root, this.head.element, h("div", { class: "strategy-page" }, this.main, this.side));
    this.follow();
  }

  build() {
    const { roll, page } = this;
    this.inspector = new Inspector(roll);
    this.board = new Board(roll, (step, from) => this.inspector.choose(step, from), page.signal);
    this.list = new StepList(roll, (step, from) => this.inspector.choose(step, from));
    this.timeline = timeline(page, at("/v1/strategies/{strategy}/timeline", roll.id));
    this.excluded = h("div", { class: "strategy-main" });
    this.settings = h("div", {}, settings(roll.facts));
    this.release = awaited(page, "strategy");
    this.head = new StrategyHead(roll, {
      release: this.release.element,
      onFilter: (state) => this.filter(state),
      onPick: (step) => this.pick(step),
    });
    this.main = h(
      "div",
      { class: "strategy-main" },
      this.buildTools(),
      this.board.element,
      this.list.element,
      this.excluded,
      this.settings,
    );
    this.side = h("aside", { class: "side", "aria-label": "Details" }, this.inspector.element, this.timeline.element);
  }

  buildTools() {
    this.found = h("p", { class: "muted small", role: "status" });
    const search = h("input", {
      type: "search",
      placeholder: "Find a site",
      "aria-label": "Find a site",
      class: "search",
      oninput: () => this.find(search.value),
    });
    const tab = (text, name) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(name === "board"),
          onclick: () => this.switchTo(name),
          "data-name": name,
        },
        text,
      );
    this.tabs = h(
      "div",
      { class: "segmented", role: "group", "aria-label": "Show sites as" },
      tab("Board", "board"),
      tab("List", "list"),
    );
    return h("div", { class: "tools" }, h("h2", {}, "Sites"), this.found, search, this.tabs);
  }

  switchTo(name) {
    for (const button of this.tabs.children) button.setAttribute("aria-pressed", String(button.dataset.name === name));
    this.board.element.hidden = name !== "board";
    this.list.show(name === "list");
  }

  /** Show a site that is named elsewhere: its cell, and what is known of it. */
  pick(step) {
    this.board.mark(step);
    this.inspector.show(step);
    this.inspector.element.scrollIntoView({ block: "nearest" });
  }

  filter(state) {
    this.board.filter(state);
    this.list.filter({ state });
  }

  find(entered) {
    const text = entered.trim().toLowerCase(); // as names are written
    const step = text && this.board.find(text);
    if (step) this.inspector.show(step);
    setText(this.found, text && !step ? `No site of this strategy has “${text}” in its name.` : "");
    this.list.filter({ text });
  }

  /** The strategy as the API has it, now or after a gap in the events. */
  take(strategy) {
    this.roll.take(strategy);
    this.board.layOut();
    fill(this.excluded, excludedSites(strategy), spreading(strategy));
    fill(this.settings, settings(this.roll.facts));
    this.draw();
    this.readSteps();
    this.timeline.read();
  }

  async readSteps() {
    try {
      for await (const items of pages(at("/v1/strategies/{strategy}/steps", this.roll.id), {}, this.page.signal)) {
        this.moved(this.roll.put(items), false);
      }
    } catch (error) {
      if (error.name !== "AbortError")
        fill(
          this.head.advice,
          failure(error, () => this.readSteps()),
        );
    }
  }

  follow() {
    const handlers = {
      strategy_state_changed: (data) => this.stateChanged(data),
      stage_progressed: (data) => this.stageProgressed(data),
      steps_changed: ({ steps, at }) => this.moved(this.roll.put(steps, at), true),
      stage_forecast: (data) => this.forecastMade(data),
      strategy_planned: () => this.reload(),
      strategy_deleted: () => this.deleted(),
      failure_rate_high: () => this.timeline.soon(),
      strategy_silent: () => this.timeline.soon(),
    };
    for (const [type, handle] of Object.entries(handlers)) {
      on(
        type,
        (event) => event.subject === this.roll.id && (event.data ? handle(event.data) : this.reload()),
        this.page.signal,
      );
    }
  }

  stateChanged({ name, state, why, actions, at }) {
    if (this.roll.facts.state !== state) announce(`${name} is ${state}: ${why.message}`);
    Object.assign(this.roll.facts, { state, why, actions }, timesAfter(this.roll.facts, state, at));
    fill(this.settings, settings(this.roll.facts));
    this.draw();
    this.timeline.soon();
  }

  stageProgressed(data) {
    if (this.roll.moveStage(data)) {
      announce(`Stage ${data.name} is ${data.state}`);
      this.timeline.soon();
    }
    this.draw();
  }

  forecastMade(data) {
    this.roll.forecast(data);
    this.draw();
  }

  deleted() {
    this.roll.facts.deleted = true;
    this.draw();
  }

  moved(steps, live) {
    this.board.moved(steps, live);
    this.list.moved();
    if (steps.some(({ state }) => state === "failed")) {
      if (live) this.timeline.soon();
      this.draw();
    }
    this.inspector.refresh();
  }

  render() {
    this.release.watch(publicationOf(this.roll.facts));
    this.head.update();
    this.board.updateStages();
    this.inspector.refresh();
  }
}
