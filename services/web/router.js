// The address after `#` names the view. A view gets its parameters and a signal that ends with it.

import { fill, h } from "./dom.js";
import { compile, partsOf } from "./model/address.js";
import { empty, failure } from "./page.js";

let current = null;

/** Show views as the address changes: `routes` are `[pattern, view, place in the navigation]`. */
export function startRouter(routes, root, onPlace) {
  const table = routes.map(([pattern, view, place]) => ({ match: compile(pattern), view, place }));
  const go = () => show(table, root, onPlace);
  addEventListener("hashchange", go);
  go();
  return () => {
    removeEventListener("hashchange", go);
    current?.abort();
  };
}

/** Go to another view. */
export function navigate(path) {
  location.hash = path;
}

function show(table, root, onPlace) {
  const first = current === null;
  current?.abort();
  current = new AbortController();
  const { path, query } = partsOf(location.hash);
  const page = { root, signal: current.signal, query, params: {} };
  const route = table.find(({ match }) => (page.params = match(path)));
  onPlace(route?.place ?? "");
  fill(root);
  open(route, page);
  if (!first) settle(root);
}

function open(route, page) {
  if (!route) return fill(page.root, empty("There is no such page", "The address may be old.", home()));
  try {
    return route.view(page);
  } catch (error) {
    fill(page.root, failure(error));
    throw error;
  }
}

const home = () => h("a", { class: "button", href: "#/" }, "Go to the strategies");

/** A new view begins at its top, for eyes and for screen readers. */
function settle(root) {
  scrollTo(0, 0);
  (root.querySelector("h1") ?? root).focus({ preventScroll: true });
}
