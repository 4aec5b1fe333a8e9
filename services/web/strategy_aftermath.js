// After failures, at the head of a strategy: what happened, what is safe, what to do next.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { aftermath } from "./model/aftermath.js";
import { number } from "./model/format.js";
import { keepPlace } from "./redraw.js";

/** `onPick(step)` shows a failed site, `onMore()` lights up all of them. `update()` says it as it stands now. */
export function aftermathOf(roll, { onPick, onMore }) {
  const element = h("div", { class: "summary aftermath", role: "status", hidden: true });
  let shown = "";
  const update = () => {
    const told = aftermath(roll);
    const state = JSON.stringify({ ...told, sites: told?.sites.map(({ site }) => site) });
    if (state === shown) return;
    shown = state;
    element.hidden = !told;
    if (told) keepPlace(element, () => fill(element, icon("failed", 18), words(told, { onPick, onMore })));
  };
  return { element, update };
}

const words = ({ happened, sites, more, cause, safe, next }, { onPick, onMore }) =>
  h(
    "div",
    {},
    h(
      "p",
      {},
      h("strong", {}, `${happened}: `),
      sites.map((step, i) => [i > 0 && ", ", link(step.site, () => onPick(step))]),
      more > 0 && [" and ", link(`${number(more)} more`, onMore)],
      cause && [". ", h("span", {}, cause)],
    ),
    h("p", {}, safe),
    h("p", {}, next),
  );

const link = (text, onclick) => h("button", { type: "button", class: "link", onclick }, text);
