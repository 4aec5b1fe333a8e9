// Icons as elements.

import { pathOf } from "./model/icon_paths.js";

const SVG = "http://www.w3.org/2000/svg";

/** An icon as an element; it is decoration, so the words beside it must say the same. */
export function icon(name, size = 16) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  const facts = { viewBox: "0 0 16 16", width: size, height: size, class: `icon icon-${name}`, "aria-hidden": "true" };
  for (const [key, value] of Object.entries(facts)) svg.setAttribute(key, value);
  path.setAttribute("d", pathOf(name));
  svg.append(path);
  return svg;
}
