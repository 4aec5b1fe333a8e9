// What waits for a release that is still being published: how far that is, shown until it has ended.

import { get } from "./api.js";
import { fill, h, throttled } from "./dom.js";
import { icon } from "./icons.js";
import { on, onGap } from "./live.js";
import { at } from "./model/address.js";
import { publicationSaid, waitsFor } from "./model/waiting.js";
import { faults } from "./page.js";

/** `watch(id)` shows the publication in `element` and follows it; null = nothing is awaited any more. */
export function awaited(page, kind) {
  const element = h("div", { class: "awaited", "aria-live": "polite" });
  let id = null;
  const read = throttled(async () => {
    const asked = id;
    const shown = asked && (await told(asked, kind, page.signal));
    if (asked === id) fill(element, shown);
  }, 300);
  const concerns = ({ data }) => id && (!data || data.publication === id) && read();
  on(["bundle_progressed", "publication_settled"], concerns, page.signal);
  onGap(read, page.signal); // its end may be among what was missed
  const watch = (publication) => {
    if (publication === id) return;
    id = publication;
    read();
  };
  return { element, watch };
}

async function told(id, kind, signal) {
  try {
    return banner(await get(at("/v1/publications/{id}", id), {}, signal), kind);
  } catch (error) {
    if (error.name === "AbortError") return null;
    return error.status === 404 ? banner(null, kind) : faults(error);
  }
}

const banner = (publication, kind) =>
  h(
    "div",
    { class: "summary busy" },
    icon("waiting", 18),
    h(
      "div",
      {},
      h("strong", {}, waitsFor(publication)),
      h("p", {}, `${publicationSaid(publication, kind)} Until then nothing is touched.`),
    ),
  );
