// What every view needs: a title, a loading state, an error state that shows every fault, an empty state.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { onGap } from "./live.js";
import { keepPlace } from "./redraw.js";

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
  let begun = 0; // readings, by their number: the answer to an older one may come after that to a newer one
  let newest = 0;
  const arrived = (number, data) => {
    if (page.signal.aborted || number < newest) return;
    newest = number;
    const first = !shown;
    shown = true;
    keepPlace(root, () => show(data, root));
    if (first) settle(page.root);
  };
  const failed = (number, error) => {
    if (page.signal.aborted || number < newest) return;
    if (!shown) fill(root, failure(error, load));
    else if (error.status === undefined) throw error;
  };
  const load = async () => {
    if (!shown) fill(root, skeleton());
    root.setAttribute("aria-busy", "true");
    begun += 1;
    const number = begun;
    await read()
      .then((data) => arrived(number, data))
      .catch((error) => failed(number, error))
      .finally(() => root.removeAttribute("aria-busy"));
  };
  onGap(load, page.signal);
  load();
  return load;
}

/** Whoever came here while it was still read waits at the whole of it: the title is where it begins. */
function settle(root) {
  if (document.activeElement === root) root.querySelector("h1")?.focus({ preventScroll: true });
}

const skeleton = () =>
  h("div", { class: "skeleton", role: "status", "aria-label": "Loading" }, h("i"), h("i"), h("i"), h("i"));

/** The heading of what takes the place of something; it is the title where the view has none. */
const placeholder = (text) => (document.querySelector("main h1") ? h("h2", {}, text) : title(text));

/** A problem that takes the place of what could not be shown. */
export function failure(error, again = null) {
  const what = error.status === 404 ? "There is nothing here" : (error.title ?? "Something went wrong");
  return h(
    "div",
    { class: "empty" },
    icon("warning", 28),
    placeholder(what),
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
  return h("div", { class: "empty" }, placeholder(what), h("p", { class: "muted" }, text), actions);
}

/** A table; columns are `[head, cell(row), class?]`. On narrow screens each row becomes a block with named cells. */
export function table(columns, rows, caption) {
  const cells = (row) =>
    columns.map(([head, cell, kind = ""]) => h("td", { class: kind, "data-head": head }, cell(row)));
  const frame = h(
    "div",
    { class: "table-frame", role: "group", "aria-label": caption },
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
          columns.map(([head, , kind = ""]) =>
            h("th", { scope: "col", class: kind }, head || h("span", { class: "unseen" }, "Actions")),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) => h("tr", {}, cells(row))),
      ),
    ),
  );
  // One that is too wide is scrolled sideways: by its links with Tab, and where it has none by itself.
  if (!frame.querySelector("a, button, summary")) frame.tabIndex = 0;
  return frame;
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
