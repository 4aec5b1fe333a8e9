// A file sent in parts, so that it goes on where it stopped: after a broken connection, and after the page was closed.

import { get } from "./api.js";
import { Problem, parsed } from "./model/problem.js";
import { inParts, metadataOf, nextWait, passes, rememberedAs } from "./model/sending.js";
import { session } from "./session.js";

const PART = 16 << 20;
const TUS = { "Tus-Resumable": "1.0.0" };
/** Refusals that asking how far it is mends, sooner or later. */
const LATER = ["wrong_offset", "upload_busy"];

/**
 * Send a file; `said` are its app, version and sha256 where a person says them; `progress` gets a share from 0 to 1.
 * The upload as it is then: its `publication` says what becomes of it.
 */
export async function send(file, said, progress) {
  const note = rememberedAs(file, said);
  let path = localStorage.getItem(note);
  let offset = path ? await reached(path) : null;
  if (offset === null) {
    path = await begin(file, said);
    offset = 0;
    localStorage.setItem(note, path);
  }
  try {
    const shown = await sendFrom(path, file, offset, progress);
    localStorage.removeItem(note);
    return shown;
  } catch (error) {
    if (error.status >= 400 && error.status < 500) localStorage.removeItem(note);
    throw error;
  }
}

function sendFrom(path, file, start, progress) {
  const steps = {
    reached: () => reached(path),
    part: (offset) => part(path, file, offset, progress),
    ended: async (offset) => {
      const shown = offset === file.size ? await get(path) : null;
      return shown?.state === "complete" ? shown : null;
    },
    recovered,
  };
  return inParts(steps, start);
}

/** After a while, if the error is one that passes. */
async function recovered(error, failures) {
  const wait = passes(error, LATER) ? nextWait(failures) : null;
  if (wait === null) throw error;
  await new Promise((wake) => setTimeout(wake, wait));
}

/** How much of it lies there; null where it is not known any more. */
async function reached(path) {
  try {
    return (await get(path)).offset;
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

async function begin(file, said) {
  const headers = {
    ...TUS,
    Authorization: `Bearer ${session.token}`,
    "Upload-Length": String(file.size),
    "Upload-Metadata": metadataOf(file, said),
  };
  const response = await fetch("/v1/uploads", { method: "POST", headers });
  if (response.ok) return response.headers.get("Location");
  throw new Problem(response.status, parsed(await response.text()) ?? { title: response.statusText });
}

/** One part; where the upload is then. XMLHttpRequest, as fetch says nothing of its progress. */
function part(path, file, offset, progress) {
  const content = file.slice(offset, offset + PART);
  const request = new XMLHttpRequest();
  request.open("PATCH", path);
  const headers = { ...TUS, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
  for (const [name, value] of Object.entries({ ...headers, Authorization: `Bearer ${session.token}` }))
    request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => progress((offset + event.loaded) / file.size);
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(new Problem(0, { title: "The connection broke during the upload" }));
    request.onload = () => {
      if (request.status < 300) resolve(Number(request.getResponseHeader("Upload-Offset")));
      else reject(new Problem(request.status, parsed(request.responseText) ?? { title: request.statusText }));
    };
    request.send(content);
  });
}
