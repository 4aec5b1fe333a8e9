// The list of strategies: how it is parted, and how events move what is in it.

import { ENDED_STATES, LIVE_STATES } from "./states.js";

const PARTS = [
  ["Under way", LIVE_STATES],
  ["Wait for their release", ["waiting"]],
  ["Ready to apply", ["ready"]],
  ["Ended", ENDED_STATES],
];

/** `[{title, items}]`: what is under way first; parts in which there is nothing are left out. */
export function partsOf(strategies) {
  const parts = PARTS.map(([title, states]) => ({ title, states, items: [] }));
  for (const one of strategies) (parts.find(({ states }) => states.includes(one.state)) ?? parts[0]).items.push(one);
  return parts.filter(({ items }) => items.length > 0);
}

/** What an event says of a strategy as the list has it, by the type of the event. */
export const MOVES = {
  strategy_state_changed: (strategy, { state, why }) => Object.assign(strategy, { state, why }),
  stage_progressed: (strategy, { stage, state, counts }) => {
    const moved = strategy.stages.find(({ position }) => position === stage);
    if (moved) Object.assign(moved, { state, counts });
  },
};
