// What is pure of sending a file in parts.

import { chosen, given } from "./entered.js";

const WAITS = [300, 1000, 3000, 8000, 15000];

/** Milliseconds before the next try after so many without any progress; null = no more. */
export const nextWait = (failures) => WAITS[failures] ?? null;

/** What a person said of a bundle: its app and version where it does not say them itself, and what it must be. */
export const saidOf = ({ app, version, sha256 }) =>
  chosen({ app: given(app), version: given(version), sha256: given(sha256)?.toLowerCase() });

/** Under which name the page remembers the upload of a file: one that was changed, or is called otherwise, is another. */
export const rememberedAs = (file, said = {}) =>
  ["upload", file.name, file.size, file.lastModified, ...Object.entries(said).map((each) => each.join("="))].join(" ");

/** What is said of a file before it comes, as the protocol of uploads (tus) has it. */
export const metadataOf = (file, said = {}) =>
  Object.entries({ filename: file.name, ...said })
    .map(([key, text]) => `${key} ${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}`)
    .join(",");

/** Whether the same request may do later: nobody answered, a gateway that stops, or one of these refusals. */
export const passes = (error, later) => !error.status || error.status >= 500 || later.includes(error.code);

/** Part after part from an offset on; what `ended` says once it is whole. Whatever breaks is for `recovered`, which
 * throws where no further try is worth it; then the other side says where to go on. It may still be away at that, so
 * asking is one of the things that may break. */
export async function inParts({ reached, part, ended, recovered }, start) {
  const after = counting(recovered, start);
  let offset = start;
  let lost = false;
  while (true) {
    try {
      if (lost) offset = (await reached()) ?? 0;
      offset = await part(offset);
      lost = false;
      const end = await ended(offset);
      if (end) return end;
    } catch (error) {
      await after(error, offset);
      lost = true;
    }
  }
}

/** Tells `recovered` how many failures there were since it last came further. */
function counting(recovered, start) {
  let furthest = start;
  let failures = 0;
  return (error, offset) => {
    if (offset > furthest) failures = 0;
    furthest = Math.max(furthest, offset);
    return recovered(error, failures++);
  };
}
