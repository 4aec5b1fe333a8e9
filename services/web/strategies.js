// All strategies: what is under way, what is ready, what has ended; live.

import { all } from "./api.js";
import { badge } from "./badge.js";
import { setOff } from "./buttons.js";
import { fill, h, keyed, perFrame, setText, throttled } from "./dom.js";
import { icon } from "./icons.js";
import { on } from "./live.js";
import { shareOf, sumOf } from "./model/counts.js";
import { number, words } from "./model/format.js";
import { MOVES, partsOf } from "./model/strategy_list.js";
import { empty, heading, resource } from "./page.js";
import { stageBars } from "./progress.js";
import { keepPlace } from "./redraw.js";
import { missingRole } from "./session.js";
import { since } from "./times.js";

export function strategiesView(page) {
  const known = new Map();
  const body = h("div");
  const draw = perFrame(() => keepPlace(body, () => render(body, [...known.values()])));
  page.root.append(
    heading("Strategies", { note: "Roll-outs over many sites, in stages.", actions: [newButton()] }),
    body,
  );
  const load = resource(
    page,
    body,
    () => all("/v1/strategies", {}, page.signal),
    (items) => {
      known.clear();
      for (const item of items) known.set(item.strategy_id, item);
      draw();
    },
  );
  follow(page, known, draw, throttled(load, 500));
}

export function newButton() {
  const link = h("a", { class: "button primary", href: "#/new-strategy" }, icon("plus"), "New strategy");
  setOff(link, missingRole("operator"));
  return link;
}

/** Fold events into what is known; what cannot be folded is read again. */
function follow(page, known, draw, reload) {
  for (const [type, move] of Object.entries(MOVES)) {
    const change = ({ subject, data }) => {
      const strategy = known.get(subject);
      if (!strategy || !data) return reload();
      move(strategy, data);
      return draw();
    };
    on(type, change, page.signal);
  }
  on("strategy_planned", reload, page.signal);
  on("strategy_deleted", (event) => known.delete(event.subject) && draw(), page.signal);
}

function render(body, items) {
  if (items.length === 0) return fill(body, nothingYet());
  return keyed(
    body,
    partsOf(items),
    (part) => part.title,
    createPart,
    (element, part) => {
      setText(element.count, number(part.items.length));
      keyed(element.list, part.items, (item) => item.strategy_id, createItem, updateItem);
    },
  );
}

const nothingYet = () =>
  empty(
    "No strategy yet",
    "A strategy takes a release to many sites: a canary first, then the rest in stages, and it stops by itself when sites fail.",
    newButton(),
  );

function createPart({ title }) {
  const list = h("ul", { class: "strategies" });
  const count = h("span", { class: "count plain" });
  return Object.assign(h("section", { class: "section" }, h("h2", {}, title, count), list), { list, count });
}

function createItem({ strategy_id, name, spec, created_at }) {
  const parts = {
    state: h("span"),
    why: h("p", { class: "why" }),
    figure: h("strong"),
    failed: h("span", { class: "failed-count" }),
    bars: stageBars(),
  };
  const what = spec && `${words(spec.type)} ${spec.app}${spec.version ? ` to ${spec.version}` : ""}`;
  const element = h(
    "li",
    { class: "card strategy" },
    h(
      "div",
      { class: "strategy-head" },
      h(
        "div",
        {},
        h("h3", {}, h("a", { href: `#/strategies/${encodeURIComponent(strategy_id)}` }, name)),
        h("p", { class: "muted" }, what),
      ),
      h("div", { class: "strategy-figures" }, parts.failed, parts.figure, parts.state),
    ),
    parts.bars,
    h("div", { class: "strategy-foot" }, parts.why, since(created_at, "muted")),
  );
  return Object.assign(element, { parts });
}

function updateItem({ parts, dataset }, strategy) {
  const counts = sumOf(strategy.stages.map((stage) => stage.counts));
  parts.bars.update(strategy.stages);
  setText(parts.why, strategy.why?.message ?? "");
  setText(parts.figure, shareOf(counts));
  setText(parts.failed, counts.failed ? `${number(counts.failed)} failed` : "");
  if (dataset.state === strategy.state) return;
  dataset.state = strategy.state;
  fill(parts.state, badge(strategy.state));
}
