// Each time a site was tried in a strategy: when, how it ended, and what it said last.

import { get } from "./api.js";
import { badge } from "./badge.js";
import { fill, h } from "./dom.js";
import { lastLines } from "./evidence.js";
import { at } from "./model/address.js";
import { full } from "./model/format.js";

const AT_A_GLANCE = 4;

/** A place that fills with the attempts of a step, the first one first. */
export function attemptsOf(strategyId, site) {
  const place = h("div", { class: "evidence", "aria-busy": "true" });
  get(at("/v1/strategies/{strategy}/steps/{site}", strategyId, site))
    .then(({ attempts }) => fill(place, attempts.length && h("h3", {}, "Attempts"), attempts.map(attempt)))
    .catch((error) => fill(place, h("p", { class: "muted" }, error.message)))
    .finally(() => place.removeAttribute("aria-busy"));
  return place;
}

function attempt({ attempt: number, operation_id: id, state, cause, last_lines: lines, started_at: at, seconds }) {
  const took = seconds === null ? "" : `, ${seconds.toFixed(1)} s`;
  return [
    h(
      "p",
      {},
      badge(state),
      h("a", { href: `#/operations/${encodeURIComponent(id)}` }, ` Attempt ${number}`),
      h("small", { class: "muted" }, ` from ${full(at)}${took}`),
    ),
    cause && h("p", { class: "phase" }, h("code", {}, cause.code), ` ${cause.message}`),
    cause && lines.length > 0 && lastLines(lines, AT_A_GLANCE),
  ];
}
