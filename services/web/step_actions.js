// What can be done with one site of a strategy: leave it out before its turn, or try it again.

import { h } from "./dom.js";
import { act, roleButton } from "./feedback.js";
import { CALLS, stepVerb } from "./model/actions.js";
import { at } from "./model/address.js";

const TEXTS = { skip: ["Skip this site", "Skipped"], retry: ["Retry this site", "Trying again"] };

/** The button for what may be done with the step now; null where that is nothing. */
export function stepButton(roll, step) {
  const verb = stepVerb(roll.facts.deleted ? [] : roll.facts.actions, step.state);
  if (!verb) return null;
  const [text, past] = TEXTS[verb];
  const [method, path] = CALLS[verb];
  const send = (button) =>
    act(button, `${past}: ${step.site}`, method, at(path, roll.facts.strategy_id), { sites: [step.site] });
  return h("p", { class: "actions" }, roleButton(text, "operator", send));
}
