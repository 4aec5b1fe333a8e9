// After failures: what happened, what is safe, and what a person can do next. Whoever is woken at night reads this first.

import { number, plural } from "./format.js";
import { policy } from "./plan_words.js";

const NAMED = 3;

/** `{happened, cause, safe, next}` in sentences, `sites` the first that failed; null where none has. */
export function aftermath(roll) {
  const { facts, counts } = roll;
  const end = ended(facts, counts);
  if (!end) return null;
  const those = roll.matching({ state: end, text: "" });
  return {
    happened: `${plural(counts[end], "site")} ${HAPPENED[end]}`,
    sites: those.slice(0, NAMED),
    more: counts[end] - Math.min(NAMED, those.length),
    cause: sentence(roll.why(those[0] ?? {})?.message),
    safe: safe({ ...counts, [end]: 0 }),
    next: next(facts, counts),
  };
}

const HAPPENED = { failed: "failed", aborted: "could not have it; nothing was changed there" };

/** How the sites ended that a person must know of; where none has failed, those without which a strategy has. */
function ended(facts, counts) {
  if (counts.failed) return "failed";
  return facts.state === "failed" && counts.aborted ? "aborted" : null;
}

/** How all the other sites are; each that failed tells itself where it was left. */
function safe({ complete, running, waiting, aborted }) {
  const told = [
    complete && `${number(complete)} are done and stay as they are`,
    running && `${number(running)} are at work and will finish`,
    waiting && `${number(waiting)} wait`,
    aborted && `${number(aborted)} were left as they were`,
  ].filter(Boolean);
  return told.length ? `Of the others: ${told.join(", ")}.` : "It had no other sites.";
}

const LOOK = "Look first at what a failed site said last: press its name.";

/** What can be done now; where a person need do nothing, when that ends. */
function next({ state, actions, spec }, { running }) {
  if (state === "applying") return `It goes on by itself. What stops it: ${policy(spec?.on_failure ?? {})}.`;
  if (state === "aborting")
    return `It ends once ${plural(running, "site")} at work have finished; nothing is begun any more.`;
  const ways = Object.entries(WAYS).filter(([action]) => actions.includes(action));
  return [LOOK, ...ways.map(([, text]) => text)].join(" ");
}

const WAYS = {
  resume: "Resume goes on with the others.",
  retry: "Retry failed tries these sites again.",
  undo: "Undo plans the way back for the sites that were changed.",
  abort: "Abort leaves the others as they are.",
};

const sentence = (text) => (text ? text.replace(/([^.])$/, "$1.") : "");
