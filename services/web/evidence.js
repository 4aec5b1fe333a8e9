// What a failed operation left to learn from: shown with the operation, and with the site of a strategy that failed.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { at } from "./model/address.js";
import { failedPhases, recovery } from "./model/evidence.js";

const AT_A_GLANCE = 12;

/** What the failed components said last; `most` keeps the end of it. */
export function lastLines(lines, most = Infinity) {
  if (!lines?.length) return h("p", { class: "muted" }, "The components said nothing.");
  return h("pre", { class: "last-lines", tabIndex: 0, "aria-label": "Last lines" }, lines.slice(-most).join("\n"));
}

/** A place that fills with the evidence of an operation; of one that is forgotten by now it says so. */
export function evidenceOf(operationId) {
  const place = h("div", { class: "evidence", "aria-busy": "true" });
  get(at("/v1/operations/{operation_id}", operationId))
    .then((operation) => fill(place, atAGlance(operation)))
    .catch((error) => fill(place, h("p", { class: "muted" }, error.message)))
    .finally(() => place.removeAttribute("aria-busy"));
  return place;
}

function atAGlance(operation) {
  return [
    h("p", {}, recovery(operation)),
    failedPhases(operation).map(({ name, component, detail }) =>
      h("p", { class: "phase" }, h("code", {}, name), ` ${component} ${detail}`),
    ),
    lastLines(operation.last_lines, AT_A_GLANCE),
  ];
}
