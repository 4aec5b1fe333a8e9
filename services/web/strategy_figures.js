// The figures of a strategy. They are the legend of the board too, and light up their sites when pressed.

import { fill, h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { foreseen } from "./model/forecast.js";
import { number } from "./model/format.js";
import { STEP_STATES, shapeOf } from "./model/states.js";

/** Counts by state as toggle buttons: `onFilter(state | null)`; `press(state)` lights up the sites of a state. */
export function figures(roll, onFilter) {
  const buttons = STEP_STATES.map((state) => figure(state));
  const press = (button, chosen = button.getAttribute("aria-pressed") === "true" ? null : button) => {
    for (const other of buttons) other.setAttribute("aria-pressed", String(other === chosen));
    onFilter(chosen?.dataset.state ?? null);
  };
  for (const button of buttons) button.addEventListener("click", () => press(button));
  const element = h(
    "div",
    { class: "figures", role: "group", "aria-label": "Sites by state; press one to light up its sites" },
    buttons,
  );
  const update = () => {
    for (const button of buttons) setText(button.figure, number(roll.counts[button.dataset.state]));
  };
  const light = (state) =>
    press(
      null,
      buttons.find(({ dataset }) => dataset.state === state),
    );
  return { element, update, press: light };
}

function figure(state) {
  const count = h("strong", {}, "0");
  const button = h(
    "button",
    { type: "button", class: `figure tone-${state}`, "data-state": state, "aria-pressed": "false" },
    h("span", { class: "swatch" }, icon(shapeOf(state), 13)),
    count,
    h("span", { class: "word" }, state),
  );
  return Object.assign(button, { figure: count });
}

/** How it goes on: when the running stage ends, and its failure rate, as the monitor sees them. */
export function outlook(roll) {
  const element = h("p", { class: "outlook" });
  let shown = "";
  const update = () => {
    const parts = foreseen(roll);
    if (JSON.stringify(parts) === shown) return;
    shown = JSON.stringify(parts);
    fill(
      element,
      parts.map(([title, text, kind]) => h("span", { class: kind }, h("small", {}, title), text)),
    );
  };
  return { element, update };
}
