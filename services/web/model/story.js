// What happened to a deployment, in a sentence or two.

import { recovery } from "./evidence.js";
import { words } from "./format.js";

/** How a deployment came to be what it is: for who sees it for the first time. */
export function storyOf({ version, last, running }) {
  const now = running ? ` Now: ${words(running.kind)}${towards(running)}, ${running.phase ?? "queued"}.` : "";
  if (!last) return `${version ? `Release ${version} runs.` : "Nothing runs."}${now}`;
  const done = `The last operation, ${words(last.kind)}${towards(last)}, ${last.state}.`;
  const cause = (last.cause?.message ?? "").replace(/([^.])$/, "$1.");
  const why = last.state === "failed" ? ` ${cause} ${recovery(last)}`.trimEnd() : "";
  return `${done}${why}${now}`;
}

const towards = ({ from_version: from, to_version: to }) =>
  to ? ` ${from && from !== to ? `from ${from} to ${to}` : `to ${to}`}` : from ? ` of ${from}` : "";
