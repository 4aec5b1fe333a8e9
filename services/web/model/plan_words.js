// What a strategy was told to do, in words.

import { number, plural, seconds, words } from "./format.js";

/** "Update shop to 1.5.0": what it does, to what. */
export function aim({ spec, targets = [] }) {
  const type = spec.undo ? "undo" : words(spec.type);
  const goal = spec.version ?? (ways(targets) || (spec.publication && "a release that is being published"));
  return `${type[0].toUpperCase()}${type.slice(1)} ${spec.app}${goal ? ` to ${goal}` : ""}`;
}

/** "1.0 (4 sites), 1.1 (2 sites)": where each site has its own release to reach. */
const ways = (targets) => targets.map(({ version, sites }) => `${version} (${plural(sites, "site")})`).join(", ");

/** "998 of 1,000 sites in 3 stages, 2 left out" */
export function extent(sites, stages, out) {
  const part = out ? `${number(sites)} of ${plural(sites + out, "site")}` : plural(sites, "site");
  return `${part} in ${plural(stages, "stage")}${out ? `, ${number(out)} left out` : ""}`;
}

/** "the whole fleet without groups lab"; empty where nothing was said. */
export function selected({ all = false, exclude = {}, ...wanted }) {
  const parts = chosen(wanted, " and ") || (all ? "the whole fleet" : "");
  const without = chosen(exclude, ", ");
  return parts + (without && ` without ${without}`);
}

function chosen({ sites = [], groups = [], labels = {} }, joint) {
  const names = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const parts = [
    groups.length && `groups ${groups.join(", ")}`,
    names.length && `labels ${names.join(", ")}`,
    sites.length && plural(sites.length, "named site"),
  ];
  return parts.filter(Boolean).join(joint);
}

/** When it stops at failures, and what then. */
export function policy({ stop_on_failure: first = true, threshold, min_sample: sample, then, heed_monitor: heed }) {
  const end = then === "pause" ? "pause and wait for a person" : "end the strategy";
  const sentence = `${first ? "the first failed site" : borne(threshold, sample)}: ${end}`;
  return heed ? `${sentence}; pauses when the monitor finds the failure rate high` : sentence;
}

/** A number is how many failures stop it, a per cent what a stage bears. */
function borne(threshold, sample) {
  if (!threshold) return "only a stage in which every site failed";
  if (!String(threshold).endsWith("%")) return `${threshold} failed sites of a stage`;
  return `more than ${threshold} of a stage's sites failed${sample > 1 ? `, once ${sample} have finished` : ""}`;
}

/** "at most 10 at once, soaks 1 min" */
export const limits = ({ max_parallel: most, soak_seconds: soak }) =>
  [`at most ${number(most)} at once`, soak > 0 && `soaks ${seconds(soak)}`].filter(Boolean).join(", ");
