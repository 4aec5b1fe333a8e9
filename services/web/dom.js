// Small hands for the DOM. What comes from the API is only ever set as text, never read as HTML.

/** An element: properties that start with `on` are listeners, `class` and ARIA are attributes, null is left out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) setProperty(element, name, value);
  append(element, children);
  return element;
}

function setProperty(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name in PROPERTIES) element[name] = value;
  else element.setAttribute(name, value === true ? "" : value);
}

const PROPERTIES = { value: 1, checked: 1, textContent: 1, htmlFor: 1, tabIndex: 1, indeterminate: 1 };

/** Add children: nodes, texts, numbers, nested lists; null and false are skipped. */
export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** Put these children in place of all others. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** Set a text only if it differs, so that nothing is laid out anew or read out again for nothing. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Keep one child per item, in order: `create(item)` makes it, `update(element, item)` brings it up to date.
 * Children that stay keep focus and selection.
 */
export function keyed(container, items, key, create, update) {
  for (const other of container.querySelectorAll(":scope > :not([data-key])")) other.remove(); // "loading", "nothing yet"
  const old = new Map([...container.children].map((child) => [child.dataset.key, child]));
  let place = container.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    const child = old.get(name) ?? create(item);
    old.delete(name);
    child.dataset.key = name;
    update?.(child, item);
    if (child === place) place = place.nextElementSibling;
    else container.insertBefore(child, place);
  }
  for (const gone of old.values()) gone.remove();
}

/** A function that runs `work` once in the next frame, however often it is called before. */
export function perFrame(work) {
  let asked = false;
  const run = (time) => {
    asked = false;
    work(time);
  };
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(run);
  };
}

/** A function that runs `work` at most once in `milliseconds`, and always once after the last call. */
export function throttled(work, milliseconds) {
  let asked = false;
  let last = -Infinity;
  const run = () => {
    asked = false;
    last = performance.now();
    work();
  };
  return () => {
    if (asked) return;
    asked = true;
    setTimeout(run, Math.max(0, last + milliseconds - performance.now()));
  };
}

/** Say something to screen readers without showing it. */
export function announce(text) {
  setText(document.getElementById("announcer"), text);
}
