// What was entered for a new strategy, as the spec that the API takes.

import { chosen, given, labels, limit, names, said } from "./entered.js";

/**
 * Values of the form's fields by their names as a StrategySpec; what was left empty is left out, for the gateway's
 * defaults. `entered.group` is the list of chosen groups, `entered.stages` that of stages as `stageOf` takes them.
 */
export const specOf = (entered) => ({
  name: given(entered.name),
  type: entered.type,
  app: given(entered.app),
  version: entered.type === "remove" ? undefined : given(entered.version),
  description: given(entered.description),
  selection: selectionOf(entered),
  stages: entered.stages.map(stageOf),
  max_parallel: limit(entered.max_parallel),
  apply_type: given(entered.apply_type),
  step_timeout_seconds: limit(entered.step_timeout_seconds),
  timeout_seconds: limit(entered.timeout_seconds),
  catch_up_seconds: limit(entered.catch_up_seconds),
  spread: given(entered.spread),
  force: entered.force,
  on_failure: policyOf(entered),
  ...chosen({
    publication: given(entered.publication ?? ""),
    recover: given(entered.recover ?? ""),
    reset_overrides: said(entered.reset_overrides),
    reset_attributes: said(entered.reset_attributes),
    only_changes: entered.only_changes ? true : undefined,
  }),
});

function selectionOf(entered) {
  const exclude = exclusionOf(entered);
  if (entered.everywhere) return { all: true, exclude };
  return { groups: entered.group, sites: names(entered.sites), labels: labels(entered.labels), exclude };
}

const exclusionOf = (entered) => ({
  sites: names(entered["not-sites"]),
  groups: names(entered["not-groups"]),
  labels: labels(entered["not-labels"]),
});

function policyOf({ stop, threshold, min_sample: sample, heed_monitor, then }) {
  const byThreshold = stop === "threshold";
  return {
    stop_on_failure: stop === "first",
    threshold: byThreshold ? limit(threshold) : undefined,
    min_sample: byThreshold ? limit(sample) : undefined,
    heed_monitor,
    then,
  };
}

/** What was entered for one stage; groups and labels that are not restricted are left out. */
export function stageOf({ name, take, groups, labels: wanted, max_parallel, soak_seconds, optional }) {
  const chosen = names(groups);
  const labelled = labels(wanted);
  return {
    name: given(name),
    take: limit(take),
    groups: chosen.length ? chosen : undefined,
    labels: Object.keys(labelled).length ? labelled : undefined,
    max_parallel: limit(max_parallel),
    soak_seconds: limit(soak_seconds),
    optional,
  };
}
