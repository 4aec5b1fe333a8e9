// Progress as bars: one for each stage, as wide as the stage is large, filled by the state of its sites.

import { fill, h, keyed, setText } from "./dom.js";
import { icon } from "./icons.js";
import { inWords, total } from "./model/counts.js";
import { number } from "./model/format.js";
import { STEP_STATES, shapeOf } from "./model/states.js";

const SHOWN = STEP_STATES.filter((state) => state !== "waiting");

/** A bar for counts; `update(counts)` moves it. Waiting sites are the empty part. */
export function bar(label) {
  const parts = SHOWN.map((state) => h("i", { class: `part tone-${state}` }));
  const element = h("div", { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0 }, parts);
  return Object.assign(element, { update: (counts) => move(element, parts, counts) });
}

function move(element, parts, counts) {
  const all = total(counts);
  const finished = counts.complete + counts.failed + counts.aborted;
  for (const [i, part] of parts.entries()) part.style.flexBasis = `${all ? (100 * counts[SHOWN[i]]) / all : 0}%`;
  element.setAttribute("aria-valuemax", all);
  element.setAttribute("aria-valuenow", finished);
  element.setAttribute("aria-valuetext", inWords(counts));
}

/** The stages of a strategy in a row. `update(stages)` moves them. */
export function stageBars() {
  const element = h("div", { class: "stage-bars" });
  return Object.assign(element, {
    update: (stages) => keyed(element, stages, (stage) => stage.position, create, update),
  });
}

function create(stage) {
  const track = bar(`Stage ${stage.name}`);
  const name = h("span", { class: "name" }, stage.name);
  const figure = h("span", { class: "figure" });
  const state = h("span", { class: "shape" });
  const element = h("div", { class: "stage-bar" }, track, h("div", { class: "caption" }, state, name, figure));
  return Object.assign(element, { track, figure, state });
}

function update(element, stage) {
  element.style.flexGrow = Math.sqrt(total(stage.counts)); // square root: a canary of one stays visible
  element.track.update(stage.counts);
  setText(element.figure, `${number(stage.counts.complete)} / ${number(total(stage.counts))}`);
  if (element.dataset.state === stage.state) return;
  element.dataset.state = stage.state;
  element.state.className = `shape tone-${shapeOf(stage.state)}`;
  fill(element.state, icon(shapeOf(stage.state), 13), h("span", { class: "unseen" }, stage.state));
}
