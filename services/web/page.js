// What every view needs: a title, a loading state, an error state that shows every fault, an empty state.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onGap } from "./live.js";

/** The title of a view, on the page and in the tab. */
export function title(text) {
  document.title = `${text} · Belay`;
  return h("h1", { tabIndex: -1 }, text);
}

/** The head of a view: where it belongs to, its title, and what can be done. */
export function heading(text, { back = null, actions = [], note = null } = {}) {
  return h(
    "header",
    { class: "heading" },
    h(
      "div",
      {},
      back && h("a", { class: "back", href: back.href }, icon("back"), back.text),
      title(text),
      note && h("p", { class: "muted" }, note),
    ),
    actions.length > 0 && h("div", { class: "actions" }, actions),
  );
}

/**
 * Read something and show it: a skeleton until it is there, the problem and a way out when it is not. Read again
 * whenever events may have been missed. `show(data, root)` fills `root`. Returns a function that reads again.
 */
export function resource(page, root, read, show) {
  let shown = false;
  const arrived = (data) => {
    if (page.signal.aborted) return;
    shown = true;
    show(data, root);
  };
  const failed = (error) => {
    if (page.signal.aborted) return;
    if (!shown) fill(root, failure(error, load));
    else if (error.status === undefined) throw error;
  };
  const load = async () => {
    if (!shown) fill(root, skeleton());
    root.setAttribute("aria-busy", "true");
    await read()
      .then(arrived)
      .catch(failed)
      .finally(() => root.removeAttribute("aria-busy"));
  };
  onGap(load, page.signal);
  load();
  return load;
}

const skeleton = () =>
  h("div", { class: "skeleton", role: "status", "aria-label": "Loading" }, h("i"), h("i"), h("i"), h("i"));

/** A problem that takes the place of what could not be shown. */
export function failure(error, again = null) {
  const what = error.status === 404 ? "There is nothing here" : (error.title ?? "Something went wrong");
  return h(
    "div",
    { class: "empty" },
    icon("warning", 28),
    h("h2", {}, what),
    faults(error),
    again && h("button", { type: "button", onclick: again }, "Try again"),
  );
}

/** What a problem says: its faults one by one, or its one line. */
export function faults(error) {
  if (!error.faults?.length) return h("p", { class: "muted" }, error.message);
  return h(
    "ul",
    { class: "faults" },
    error.faults.map((fault) =>
      h("li", {}, fault.field && h("code", {}, fault.field), h("span", {}, fault.message), value(fault)),
    ),
  );
}

function value(fault) {
  if (fault.value === null || fault.value === undefined || fault.message.includes(String(fault.value))) return null;
  const text = typeof fault.value === "string" ? fault.value : JSON.stringify(fault.value);
  return h("small", {}, `found: ${text === "" ? "nothing" : text}`);
}

/** What to say where there is nothing yet, and what to do about it. */
export function empty(what, text, ...actions) {
  return h("div", { class: "empty" }, h("h2", {}, what), h("p", { class: "muted" }, text), actions);
}

/** A table; columns are `[head, cell(row), class?]`. On narrow screens each row becomes a block with named cells. */
export function table(columns, rows, caption) {
  const cells = (row) =>
    columns.map(([head, cell, kind = ""]) => h("td", { class: kind, "data-head": head }, cell(row)));
  return h(
    "div",
    { class: "table-frame" },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map(([head, , kind = ""]) => h("th", { scope: "col", class: kind }, head)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) => h("tr", {}, cells(row))),
      ),
    ),
  );
}

/** Name and value pairs; those without a value are left out. */
export function card(pairs) {
  const given = pairs.filter(([, text]) => text !== null && text !== undefined && text !== false && text !== "");
  return h(
    "dl",
    { class: "card facts" },
    given.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))),
  );
}

/** A titled part of a view. */
export function section(name, ...content) {
  return h("section", { class: "section" }, h("h2", {}, name), content);
}
