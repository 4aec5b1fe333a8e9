// What a failed operation left to learn from.

/** Where a failure left the site. */
export function recovery({ kind, recovered, version }) {
  if (kind === "prestage") return recovered === null ? "" : "What runs on the site is as it was.";
  if (recovered) return version ? `The site is back on ${version}.` : "Nothing is left of it on the site.";
  return recovered === false ? "The site was not recovered. Apply, update to a fix, or remove." : "";
}

/** The phases in which an operation failed. */
export const failedPhases = ({ phases }) => phases.filter(({ outcome }) => outcome === "failed");

/** How long a phase took, in seconds. */
export const tookSeconds = ({ started_at: from, finished_at: to }) => (Date.parse(to) - Date.parse(from)) / 1000;
