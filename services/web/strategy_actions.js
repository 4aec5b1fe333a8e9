// What can be done with a strategy: the buttons are always in the same place, and say why they are off.

import { setOff } from "./buttons.js";
import { h, setText } from "./dom.js";
import { act, confirm } from "./feedback.js";
import { CALLS, needless, reasonsOff, runOf } from "./model/actions.js";
import { at } from "./model/address.js";
import { navigate } from "./router.js";
import { missingRole } from "./session.js";
import { undo } from "./undo.js";

/** Undo; apply, pause or resume; abort; retry; delete; with a reason for others. */
export function actionBar(roll) {
  const bar = { roll, reason: reasonField(), ...buttons() };
  bar.undo.addEventListener("click", () => undo(bar.undo, bar.roll, bar.reason.value));
  bar.run.addEventListener("click", () => run(bar));
  bar.retry.addEventListener("click", () => send(bar, bar.retry, "retry", "Trying the failed sites again"));
  bar.abort.addEventListener("click", () => abort(bar));
  bar.cancel.addEventListener("click", () => cancelRunning(bar));
  bar.remove.addEventListener("click", () => remove(bar));
  bar.element = h(
    "div",
    { class: "actions" },
    bar.reason,
    bar.undo,
    bar.run,
    bar.retry,
    bar.cancel,
    bar.abort,
    bar.remove,
  );
  bar.update = () => update(bar);
  return bar;
}

const reasonField = () =>
  h("input", {
    id: "reason",
    class: "reason",
    placeholder: "Reason (optional)",
    "aria-label": "Reason for the next action, optional",
    maxlength: "1000",
    autocomplete: "off",
  });

function buttons() {
  const make = (id, text, kind = "") => h("button", { type: "button", id: `do-${id}`, class: kind }, text);
  return {
    undo: make("undo", "Undo", "primary"),
    run: make("run", "Apply", "primary"),
    retry: make("retry", "Retry failed"),
    cancel: make("cancel", "Cancel running"),
    abort: make("abort", "Abort", "danger"),
    remove: make("delete", "Delete"),
  };
}

function update(bar) {
  const { state, deleted } = bar.roll.facts;
  const barred = deleted ? "The strategy is deleted." : missingRole("operator");
  const actions = barred ? [] : bar.roll.facts.actions;
  const [, text = "Apply"] = runOf(actions) ?? [];
  setText(bar.run, text);
  for (const [name, hidden] of Object.entries(needless(actions))) bar[name].hidden = hidden;
  for (const [name, why] of Object.entries(reasonsOff(actions, state, barred))) {
    setOff(bar[name], why);
  }
  // What has just been pressed may be of no use now: its focus goes to where the new state is told.
  const focused = document.activeElement;
  if (focused.hidden && bar.element.contains(focused)) document.querySelector("main h1")?.focus();
}

async function run(bar) {
  const [verb, , past] = runOf(bar.roll.facts.actions);
  await send(bar, bar.run, verb, past);
}

async function send(bar, button, verb, past) {
  const { name, strategy_id } = bar.roll.facts;
  const body = { reason: bar.reason.value };
  const [method, path] = CALLS[verb];
  const answer = await act(button, `${past}: ${name}`, method, at(path, strategy_id), body);
  if (answer) bar.reason.value = "";
  update(bar);
}

async function abort(bar) {
  const { name } = bar.roll.facts;
  const { waiting, running } = bar.roll.counts;
  const text = `${running} running sites finish what they began; ${waiting} waiting ones will not be touched.`;
  const answer = await confirm({ title: `Abort ${name}?`, text, verb: "Abort", reason: bar.reason.value });
  if (!answer) return;
  bar.reason.value = answer.reason;
  await send(bar, bar.abort, "abort", "Aborted");
}

async function cancelRunning(bar) {
  const { name } = bar.roll.facts;
  const text = `${bar.roll.counts.running} running sites stop at their next safe point and go back to the release they had; they count as failed.`;
  const answer = await confirm({
    title: `Cancel the running sites of ${name}?`,
    text,
    verb: "Cancel them",
    reason: "",
  });
  if (!answer) return;
  bar.reason.value = answer.reason;
  await send(bar, bar.cancel, "cancel_running", "Cancelling running sites");
}

async function remove(bar) {
  const { name, strategy_id } = bar.roll.facts;
  const text = "Its history stays readable under its id, and its name becomes free.";
  if (!(await confirm({ title: `Delete ${name}?`, text, verb: "Delete" }))) return;
  const answer = await act(bar.remove, `Deleted: ${name}`, "DELETE", at("/v1/strategies/{strategy}", strategy_id));
  if (answer) navigate("/");
}
