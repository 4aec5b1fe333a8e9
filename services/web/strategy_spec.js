// The form for a new strategy as the spec that the API takes.

import { labels, limit, names } from "./fields.js";

/** The form as a StrategySpec; what was left empty is left out, for the gateway's defaults. */
export function specOf(form, stages) {
  const { elements } = form;
  const text = (name) => elements[name].value.trim() || undefined;
  return {
    name: text("name"),
    type: elements.type.value,
    app: text("app"),
    version: text("version"),
    description: text("description"),
    selection: selectionOf(form),
    stages: stages.value,
    max_parallel: limit(elements.max_parallel.value),
    apply_type: text("apply_type"),
    step_timeout_seconds: limit(elements.step_timeout_seconds.value),
    spread: text("spread"),
    force: elements.force.checked,
    on_failure: policyOf(elements),
  };
}

function selectionOf(form) {
  const exclude = exclusionOf(form.elements);
  if (form.elements.everywhere.checked) return { all: true, exclude };
  const groups = [...form.querySelectorAll("[name=group]:checked")].map(({ value }) => value);
  return { groups, sites: names(form.elements.sites.value), labels: labels(form.elements.labels.value), exclude };
}

const exclusionOf = (elements) => ({
  sites: names(elements["not-sites"].value),
  groups: names(elements["not-groups"].value),
  labels: labels(elements["not-labels"].value),
});

function policyOf(elements) {
  const byThreshold = elements.stop.value === "threshold";
  return {
    stop_on_failure: elements.stop.value === "first",
    threshold: byThreshold ? limit(elements.threshold.value) : undefined,
    min_sample: byThreshold ? limit(elements.min_sample.value) : undefined,
    heed_monitor: elements.heed_monitor.checked,
    // biome-ignore lint/suspicious/noThenProperty: the API calls it so, and nothing awaits a spec
    then: elements.then.value,
  };
}
