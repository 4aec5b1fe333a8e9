// How much the bundles take: what is kept, what will go by itself, what is left on the disk.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { bytes, full, plural } from "./model/format.js";
import { card, resource, section } from "./page.js";

/** The section of the bundles' store, and how to read it again. */
export function storage(page) {
  const body = h("div");
  const read = () => get("/v1/storage", {}, page.signal);
  const load = resource(page, body, read, (store) => fill(body, store.measured_at ? facts(store) : unknown(store)));
  return [section("Bundles", body), load];
}

const facts = (store) =>
  card([
    ["Stored", `${bytes(store.used_bytes - store.prepared_bytes)} in ${plural(store.bundles, "bundle")}`],
    ["Prepared for sites", bytes(store.prepared_bytes)],
    ["Withdrawn, still kept", bytes(store.withdrawn_bytes)],
    ["Needed by nobody, will be freed", bytes(store.reclaimable_bytes)],
    ["Left on the disk", store.free_bytes === null ? "the store does not say" : bytes(store.free_bytes)],
    ["Largest bundle taken", bytes(store.limit_bytes)],
    ["Last change", full(store.measured_at)],
  ]);

const unknown = (store) =>
  h("p", { class: "muted" }, `Not measured yet. The largest bundle taken has ${bytes(store.limit_bytes)}.`);
