// The cells of one stage: where each is, which is under the pointer or the keyboard, which must be drawn again.

import { h, setText } from "./dom.js";
import { inWords, total } from "./model/counts.js";
import { Grid } from "./model/grid.js";

const GLOW_MS = 900;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Cells {
  #touched = new Map(); // step -> when it changed
  #cursor = null;
  #grid = null;

  constructor(roll, stage, { onPoint, onPick }) {
    Object.assign(this, { roll, stage, onPoint, onPick, lit: null });
    this.help = h("span", { class: "unseen", id: `cells-${stage.position}` });
    this.canvas = h("canvas", {
      tabIndex: 0,
      role: "application",
      "aria-roledescription": "board of sites",
      "aria-labelledby": this.help.id,
    });
    this.element = h("div", { class: "board-cells" }, this.help, this.canvas);
    this.#listen();
  }

  get room() {
    return this.element.clientWidth;
  }

  get steps() {
    return this.roll.cells.get(this.stage.position) ?? [];
  }

  describe() {
    const { name, counts } = this.roll.stage(this.stage.position) ?? this.stage;
    setText(
      this.help,
      `Stage ${name}: ${inWords(counts)}. Arrow keys move between sites, Enter chooses one, Enter again leads to its details and Escape back.`,
    );
  }

  has(step) {
    return step.index < (this.#grid?.count ?? 0);
  }

  /** Size the canvas and draw every cell. */
  layOut(size, paint, lit) {
    Object.assign(this, { size, paint, lit });
    this.#grid = new Grid(size, Math.max(this.steps.length, this.#promised()), this.room);
    const { width, height } = this.#grid;
    const ratio = devicePixelRatio;
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.context = this.canvas.getContext("2d");
    this.context.scale(ratio, ratio);
    this.#drawAll();
  }

  /** Places are kept for sites that are counted but not read yet, so that nothing jumps when they come. */
  #promised() {
    return total(this.roll.stage(this.stage.position)?.counts);
  }

  #drawAll() {
    for (let index = 0; index < this.#grid.count; index += 1) this.#draw(index, 0);
  }

  touch(step, when) {
    this.#touched.set(step, calm.matches ? -Infinity : when);
  }

  /** Draw what changed; true while something still glows. */
  drawTouched(time) {
    if (!this.context) return false;
    for (const [step, when] of this.#touched) {
      const glow = Math.max(0, 1 - (time - when) / GLOW_MS);
      this.#draw(step.index, Math.min(1, glow));
      if (glow <= 0) this.#touched.delete(step);
    }
    return this.#touched.size > 0;
  }

  light(state) {
    this.lit = state;
    if (this.context) this.#drawAll();
  }

  mark(step) {
    this.#moveTo(step.index, "search");
    this.canvas.scrollIntoView({ block: "nearest" });
  }

  unmark() {
    const before = this.#cursor;
    this.#cursor = null;
    if (before !== null) this.#draw(before, 0);
  }

  #draw(index, glow) {
    const step = this.steps[index];
    const dimmed = Boolean(this.lit && step?.state !== this.lit);
    this.paint(this.context, this.#grid.at(index), step, { glow, dimmed, marked: index === this.#cursor });
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => {
      // A pointer that rests is told of too when the page moves under it; it must not take the place of the keyboard.
      if (event.movementX || event.movementY) this.#point(this.#under(event), "pointer");
    });
    canvas.addEventListener("pointerleave", () => this.#point(null, "pointer"));
    canvas.addEventListener("click", (event) => this.#pick(this.#under(event)));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#point(null, "keyboard"));
    canvas.addEventListener(
      "focus",
      () => canvas.matches(":focus-visible") && this.#moveTo(this.#cursor ?? 0, "keyboard"),
    );
  }

  #under({ offsetX, offsetY }) {
    const index = this.#grid.under(offsetX, offsetY);
    return index !== null && index < this.steps.length ? index : null;
  }

  #key(event) {
    const at = this.#cursor ?? 0;
    const to = this.#grid.after(at, event.key, this.steps.length - 1);
    if (to !== null) this.#moveTo(to, "keyboard");
    else if (event.key === "Enter" || event.key === " ") this.#pick(at, this.canvas);
    else if (event.key === "Escape") this.#point(null, "keyboard");
    else return;
    event.preventDefault();
  }

  #moveTo(index, by) {
    if (index < 0 || index >= this.steps.length) return;
    const before = this.#cursor;
    this.#cursor = index;
    if (before !== null) this.#draw(before, 0);
    this.#draw(index, 0);
    this.#point(index, by);
  }

  /** `from` is what has the keyboard, where it was chosen with that. */
  #pick(index, from = null) {
    if (index === null || !this.steps[index]) return;
    this.#moveTo(index, "pick");
    this.onPick(this.steps[index], from);
  }

  #point(index, by) {
    const step = index === null ? null : this.steps[index];
    if (!step) return this.onPoint(null);
    const frame = this.canvas.getBoundingClientRect();
    const [x, y] = this.#grid.at(index);
    return this.onPoint(step, { left: frame.left + x, bottom: frame.top + y + this.size.height }, by);
  }
}
