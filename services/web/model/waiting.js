// What waits until the release that it goes to is published: an operation, or a whole strategy.

import { bytes, number } from "./format.js";

/** Whether nothing is done yet because its release is still being published. */
export const waitsForPublication = ({ state, phase, publication, to_version: to }) =>
  Boolean(publication && !to) && (state === "queued" || (state === "running" && phase === "upload"));

/** For what it waits, in a line. */
export const waitsFor = (publication) =>
  publication
    ? "It waits for its release, which is still being published."
    : "It waits for a release that nobody has begun to publish.";

/** Of a strategy, by its facts: the publication that it waits for; null = it waits for none any more. */
export const publicationOf = ({ state, spec }) => (state === "waiting" ? (spec?.publication ?? null) : null);

const UNHEARD = {
  operation: "If nobody does, the operation ends when its time is up.",
  strategy: "If nobody does, it waits until it is aborted.",
};

/** How far the publication is that something of this kind waits for; null = nothing was heard of it. */
export function publicationSaid(publication, kind) {
  if (!publication) return UNHEARD[kind];
  const { state, waits } = publication;
  if (state !== "under_way") return `It is ${state}.`;
  return waits
    ? `It cannot go on for now: ${waits.message}`
    : `${DOING[publication.phase] ?? "Nothing has been fetched yet"}${far(publication)}.`;
}

const DOING = { fetch: "It is being fetched", validate: "It is being checked" };

function far({ phase, done_bytes: done, total_bytes: total, step, step_done: some, step_total: all }) {
  if (phase === "fetch" && done) return total ? `, ${bytes(done)} of ${bytes(total)}` : `, ${bytes(done)} so far`;
  if (!step) return "";
  if (!all) return `: ${step}`;
  return step === "files"
    ? `: ${step}, ${bytes(some)} of ${bytes(all)}`
    : `: ${step}, ${number(some)} of ${number(all)}`;
}
