// The way back from a strategy: exactly the sites that it changed, each to what it had before.

import { act, confirm } from "./feedback.js";
import { at } from "./model/address.js";
import { navigate } from "./router.js";

/** Plan the way back after asking, and go to its page: nothing changes on any site until it is applied. */
export async function undo(button, roll, reason) {
  const { name, strategy_id } = roll.facts;
  const text =
    "A new strategy is planned for exactly the sites that this one changed, each to the release it had before, " +
    "in the same stages and limits. Nothing changes until you apply it.";
  const answer = await confirm({ title: `Undo ${name}?`, text, verb: "Plan the way back", reason });
  if (!answer) return;
  const made = await act(button, `Planned: undo ${name}`, "POST", at("/v1/strategies/{strategy}/undo", strategy_id), {
    reason: answer.reason,
  });
  if (made) navigate(`/strategies/${encodeURIComponent(made.command_id)}`);
}
