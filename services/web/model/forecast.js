// How a strategy goes on, as the monitor sees it.

import { minute, percent, plural, timeLeft } from "./format.js";

const LOOK_AT = 0.05; // share of failures from which the rate is shown as a warning

/**
 * `[title, text, kind]` for what is foreseen of the stage that runs; kind is "bad" or empty. Nothing unless sites are
 * started: a paused strategy ends when a person says so.
 */
export function foreseen({ facts, current: stage }, now = Date.now()) {
  if (!stage?.forecast || facts.state !== "applying") return [];
  const rate = stage.forecast.failure_rate;
  return [["Recent failures", percent(rate), rate >= LOOK_AT ? "bad" : ""], ...ending(stage, now)];
}

function ending({ name, counts: { running }, forecast: { eta_low: low, eta_high: high, overdue } }, now) {
  const past = overdue || (high && Date.parse(high) <= now);
  if (past) return running ? [[`Stage ${name}`, `overdue, waits for ${plural(running, "site")}`, "bad"]] : [];
  return low && high ? [[`Stage ${name} ends in`, `${timeLeft(low, high, now)} (by ${minute(high)})`, ""]] : [];
}
