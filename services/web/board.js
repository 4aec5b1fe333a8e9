// The sites board: one row per stage, its sites as cells on a canvas. Cells that move are drawn in the next frame,
// and only they: ten thousand sites cost a frame no more than the few that moved.

import { badge } from "./badge.js";
import { Cells } from "./board_cells.js";
import { loadPaint } from "./board_paint.js";
import { announce, fill, h, keyed, perFrame, setText } from "./dom.js";
import { total } from "./model/counts.js";
import { number } from "./model/format.js";
import { cellSize } from "./model/grid.js";
import { limits } from "./model/plan_words.js";
import { bar } from "./progress.js";

export class Board {
  #paint = null;
  #rows = new Map();
  #filter = null;

  constructor(roll, onPick, signal) {
    this.roll = roll;
    this.onPick = onPick;
    this.rows = h("div", { class: "board-rows" });
    this.tip = h("div", { class: "tip", hidden: true });
    this.element = h("div", { class: "board" }, this.rows, this.tip);
    this.draw = perFrame((time) => this.#drawMoved(time));
    this.redraw = perFrame(() => this.layOut());
    this.#watch(signal);
  }

  #watch(signal) {
    const sizes = new ResizeObserver(() => this.redraw());
    sizes.observe(this.rows);
    signal.addEventListener("abort", () => sizes.disconnect());
    const recolour = () => {
      this.#paint = null;
      this.redraw();
    };
    addEventListener("theme", recolour, { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour, { signal });
  }

  /** Make the rows, and all cells anew: at first, after a change of width, of colours, or of the stages. */
  layOut() {
    keyed(
      this.rows,
      this.roll.stages,
      (stage) => stage.position,
      (stage) => this.#createRow(stage),
    );
    this.updateStages();
    const width = this.#rows.values().next().value?.cells.room ?? 0;
    if (!width) return;
    const size = cellSize(this.roll.sites, width);
    this.#paint = loadPaint(this.element, size);
    for (const { cells } of this.#rows.values()) cells.layOut(size, this.#paint, this.#filter);
  }

  #createRow(stage) {
    const part = {
      state: h("span"),
      limit: h("span", { class: "muted" }),
      why: h("p", { class: "why" }),
      bar: bar(`Stage ${stage.name}`),
      figure: h("span", { class: "figure" }),
    };
    const cells = new Cells(this.roll, stage, {
      onPoint: (step, box, by) => this.#point(step, box, by),
      onPick: this.onPick,
    });
    this.#rows.set(stage.position, { ...part, cells });
    return h(
      "section",
      { class: "board-row card", "aria-label": `Stage ${stage.name}` },
      h(
        "div",
        { class: "board-info" },
        h("div", { class: "title-row" }, h("h3", {}, stage.name), part.state),
        part.bar,
        h("p", { class: "numbers" }, part.figure, part.limit),
        part.why,
      ),
      cells.element,
    );
  }

  /** The words and numbers beside the cells. */
  updateStages() {
    for (const stage of this.roll.stages) {
      const row = this.#rows.get(stage.position);
      if (!row) continue;
      if (row.state.dataset.state !== stage.state) fill(row.state, badge(stage.state));
      row.state.dataset.state = stage.state;
      row.bar.update(stage.counts);
      setText(row.figure, `${number(stage.counts.complete)} of ${number(total(stage.counts))}`);
      setText(row.limit, limits(stage));
      setText(row.why, stage.why?.message ?? "");
      row.cells.describe();
    }
  }

  /** These steps changed; `live` ones light up for a moment. */
  moved(steps, live) {
    if (steps.length === 0 || !this.#paint) return;
    if (this.#grew(steps)) this.redraw();
    const now = performance.now();
    for (const step of steps) this.#rows.get(step.stage)?.cells.touch(step, live ? now : -Infinity);
    this.draw();
  }

  #grew(steps) {
    return steps.some((step) => !this.#rows.get(step.stage)?.cells.has(step));
  }

  #drawMoved(time) {
    let again = false;
    for (const { cells } of this.#rows.values()) again = cells.drawTouched(time) || again;
    if (again && !this.element.hidden) this.draw();
  }

  /** Light up the sites in one state; null = all. */
  filter(state) {
    this.#filter = state;
    for (const { cells } of this.#rows.values()) cells.light(state);
  }

  /** Mark the first site whose name begins with, or holds, a text. */
  find(text) {
    const step = this.roll.find(text);
    if (step) this.mark(step);
    return step;
  }

  mark(step) {
    this.#rows.get(step.stage)?.cells.mark(step);
  }

  #point(step, box, by) {
    this.tip.hidden = !step;
    if (!step) return;
    if (by !== "pointer") this.#markOnly(step);
    const why = this.roll.why(step);
    fill(
      this.tip,
      h("strong", {}, step.site),
      badge(step.state),
      step.attempt > 1 && h("small", {}, `attempt ${step.attempt}`),
      why && h("p", {}, why.message),
    );
    this.#place(box);
    if (by === "keyboard") announce(`${step.site}, ${step.state}${why ? `, ${why.message}` : ""}`);
  }

  #markOnly(step) {
    for (const [position, { cells }] of this.#rows) if (position !== step.stage) cells.unmark();
  }

  #place(box) {
    const frame = this.element.getBoundingClientRect();
    const left = Math.max(0, Math.min(box.left - frame.left, frame.width - this.tip.offsetWidth));
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${box.bottom - frame.top + 6}px`;
  }
}
