// How a cell looks: a colour and a shape for each state, taken from the style sheet, so that light, dark and the
// badges agree. Waiting is hollow, complete is filled, failed is filled and crossed: told apart without colour too.

import { pathOf } from "./model/icon_paths.js";
import { STEP_STATES } from "./model/states.js";

const HOLLOW = new Set(["waiting", "aborted"]);
const GLYPH_FROM = 9; // smaller cells have no room for a glyph
const OUTLINE = 1.25;

/** A function `(context, [x, y], step, {glow, dimmed, marked})` that draws one cell of this size. */
export function loadPaint(element, size) {
  const style = getComputedStyle(element);
  const colours = Object.fromEntries(
    [...STEP_STATES, "surface", "text", "muted", "line"].map((name) => [name, style.getPropertyValue(`--${name}`)]),
  );
  const look = { ...size, colours, font: `500 12px ${style.fontFamily}` };
  return (context, at, step, how) => drawCell(context, at, step, how, look);
}

function drawCell(context, [x, y], step, { glow, dimmed, marked }, look) {
  const { width, height, gap } = look;
  const before = Math.floor(gap / 2);
  context.clearRect(x - before, y - before, width + gap, height + gap);
  context.globalAlpha = dimmed ? 0.16 : 1;
  drawBody(context, [x, y], step, look);
  if (step && look.named) drawName(context, [x, y], step, look);
  else if (step) drawGlyph(context, [x, y], step, look);
  if (glow > 0) flash(context, [x, y], look, glow);
  context.globalAlpha = 1;
  if (marked) frame(context, [x, y], look);
}

function drawBody(context, [x, y], step, { width, height, named, colours }) {
  const colour = colours[step?.state] ?? colours.line;
  const radius = named ? 6 : Math.min(4, width / 4);
  const hollow = !step || HOLLOW.has(step.state);
  const inset = hollow ? OUTLINE / 2 : 0;
  context.beginPath();
  context.roundRect(x + inset, y + inset, width - 2 * inset, height - 2 * inset, radius);
  context.lineWidth = OUTLINE;
  context.strokeStyle = colour;
  context.fillStyle = colour;
  if (hollow) context.stroke();
  else context.fill();
}

function drawGlyph(context, [x, y], { state }, { width, colours }) {
  if (state === "waiting" || state === "complete") return;
  if (width < GLYPH_FROM && state === "running") return;
  const colour = HOLLOW.has(state) ? colours[state] : colours.surface;
  stroke(context, state, [x, y], Math.max(width, 6), colour);
}

function stroke(context, state, [x, y], edge, colour) {
  context.save();
  context.translate(x, y);
  context.scale(edge / 16, edge / 16);
  context.lineWidth = edge < GLYPH_FROM ? 3 : 2;
  context.lineCap = "round";
  context.strokeStyle = colour;
  context.stroke(glyph(state));
  context.restore();
}

const GLYPHS = new Map();

function glyph(state) {
  if (!GLYPHS.has(state)) GLYPHS.set(state, new Path2D(pathOf(state)));
  return GLYPHS.get(state);
}

function drawName(context, [x, y], { site, state }, look) {
  const colour = HOLLOW.has(state) ? look.colours.text : look.colours.surface;
  stroke(context, state, [x + 7, y + look.height / 2 - 7], 14, HOLLOW.has(state) ? look.colours[state] : colour);
  context.font = look.font;
  context.fillStyle = colour;
  context.textBaseline = "middle";
  context.fillText(shortened(context, site, look.width - 34), x + 27, y + look.height / 2 + 0.5);
}

/** The end of a name tells sites apart better than its beginning. */
function shortened(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let rest = text;
  while (rest && context.measureText(`…${rest}`).width > room) rest = rest.slice(1);
  return `…${rest}`;
}

/** A cell that just moved is paler for a moment. */
function flash(context, [x, y], { width, height, colours }, strength) {
  context.globalAlpha = 0.6 * strength;
  context.fillStyle = colours.surface;
  context.fillRect(x, y, width, height);
}

/** Stays within the gap around the cell, so that clearing the cell takes it away again. */
function frame(context, [x, y], { width, height, gap, named, colours }) {
  const inset = gap < 2 ? 1 : 0;
  context.beginPath();
  context.roundRect(x + inset, y + inset, width - 2 * inset, height - 2 * inset, named ? 6 : Math.min(4, width / 4));
  context.lineWidth = 2;
  context.strokeStyle = colours.text;
  context.stroke();
}
