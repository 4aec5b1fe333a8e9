// Drawing anew under the hands of a person: what has the focus keeps it, what was unfolded stays so, and what was
// scrolled stays where it was. News comes at any moment, and nobody must lose their place over it.

const FOCUSABLE = "a[href], button, input, select, textarea, summary, canvas, [tabindex]";
const SCROLLED = ".table-frame, pre, .timeline";
const BELOW_THE_BAR = 60;

/** Draw what is below `root` anew by `work`, and leave a person where they were. */
export function keepPlace(root, work) {
  const focused = document.activeElement;
  const place = placeOf(focused, root);
  const unfolded = [...root.querySelectorAll("details[open]")].map(nameOf);
  const scrolled = [...root.querySelectorAll(SCROLLED)].map(({ scrollLeft, scrollTop }) => [scrollLeft, scrollTop]);
  const anchor = anchorOf(root);
  work();
  for (const details of root.querySelectorAll("details:not([open])"))
    if (unfolded.includes(nameOf(details))) details.open = true;
  for (const [i, element] of [...root.querySelectorAll(SCROLLED)].entries())
    [element.scrollLeft, element.scrollTop] = scrolled[i] ?? [0, 0];
  if (anchor) hold(anchor, root);
  if (place && document.activeElement !== focused) returnTo(place, root);
}

/** Where an element is below a root, so that its successor is found; null where it is not below it. */
export function placeOf(element, root) {
  if (!element || element === root || !root.contains(element)) return null;
  const [kind, name] = [kindOf(element), nameOf(element)];
  return { kind, name, number: alike(kind, name, root).indexOf(element), path: pathTo(element, root) };
}

/**
 * Give the focus to what took a place: what has the same name; where nothing has (a button that says the opposite once
 * it was pressed), what stands there now; where nothing does (a row that is gone), the heading above it.
 */
export function returnTo(place, root) {
  const there = along(place.path, root);
  const heading = there.closest("section")?.querySelector("h2") ?? document.querySelector("main h1");
  const row = there.closest("tr, li")?.querySelector(FOCUSABLE);
  for (const element of [named(place, root), there, row, heading]) if (element && takes(element)) return;
}

function takes(element) {
  if (/^H\d$/.test(element.tagName)) element.tabIndex = -1;
  element.focus({ preventScroll: true });
  return document.activeElement === element;
}

/** The first thing in sight, for who has scrolled: what is read must not move when lines come above it. */
function anchorOf(root) {
  if (scrollY === 0) return null;
  const inSight = (element) => element.getBoundingClientRect().top > BELOW_THE_BAR;
  const element = [...root.querySelectorAll(FOCUSABLE)].find(inSight);
  return element && { place: placeOf(element, root), top: element.getBoundingClientRect().top };
}

function hold({ place, top }, root) {
  const element = named(place, root);
  if (element) scrollBy(0, element.getBoundingClientRect().top - top);
}

/** A selector that passes over nearly all of a long table, before any name is read. */
function kindOf(element) {
  const href = element.getAttribute("href");
  return element.tagName + (href === null ? "" : `[href="${CSS.escape(href)}"]`);
}

const alike = (kind, name, root) => [...root.querySelectorAll(kind)].filter((one) => nameOf(one) === name);

/** What has the name now; of several that have it the one in the same turn. */
function named({ kind, name, number }, root) {
  const found = alike(kind, name, root);
  return found[number] ?? found.at(-1);
}

/** Of what kind it is, what it says, and in which row: told apart like this by a person, too. */
function nameOf(element) {
  const said = element.tagName === "DETAILS" ? element.querySelector("summary") : element;
  const row = element.closest("tr, li")?.firstElementChild;
  const words = ["name", "href", "aria-label"].map((fact) => said?.getAttribute(fact));
  return [element.tagName, ...words, said?.textContent, row?.textContent].join("\n");
}

/** Which child of which child it is. */
function pathTo(element, root) {
  const path = [];
  for (let one = element; one !== root; one = one.parentElement)
    path.unshift([...one.parentElement.children].indexOf(one));
  return path;
}

/** What stands at the end of a path now, or as near to it as it still leads. */
function along(path, root) {
  let one = root;
  for (const place of path) one = one.children[Math.min(place, one.children.length - 1)] ?? one;
  return one;
}
