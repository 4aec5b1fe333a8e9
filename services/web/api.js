// Every call to the gateway. A refusal becomes a Problem that holds every fault.

import { query } from "./model/address.js";
import { Problem, parsed } from "./model/problem.js";
import { session } from "./session.js";

const RETRY_MS = [200, 600, 1500, 3000];
const AWAY = [502, 503, 504]; // a gateway that stops, or what stands before it: the same request may do later

/** Commands without an answer yet, by id, with what they were to do: their refusal may still come in the stream. */
export const unanswered = new Map();

/** Read a resource; parameters that are empty are left out. */
export function get(path, params = {}, signal = undefined) {
  return call("GET", path + query(params), { signal });
}

/** Read a paged resource page by page: `for await (const items of pages(...))`. */
export async function* pages(path, params = {}, signal = undefined) {
  let cursor = null;
  do {
    const page = await get(path, { limit: 1000, ...params, cursor }, signal);
    yield page.items;
    cursor = page.next;
  } while (cursor);
}

/** All items of a paged resource. */
export async function all(path, params = {}, signal = undefined) {
  const items = [];
  for await (const page of pages(path, params, signal)) items.push(...page);
  return items;
}

/** Send a command. It carries its id, so sending it again after a lost connection does nothing twice. */
export async function command(method, path, body = undefined, what = "") {
  const headers = { "Idempotency-Key": newId() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await call(method, path, { headers, body: body && JSON.stringify(body) });
  if (answer.state === "sent") unanswered.set(answer.command_id, what || `${method} ${path}`);
  return answer;
}

async function call(method, path, options) {
  const headers = { Authorization: `Bearer ${session.token}`, ...options.headers };
  const response = await tried(() => fetch(path, { cache: "no-store", ...options, method, headers }));
  const text = await response.text();
  if (response.ok) return parsed(text) ?? {};
  if (response.status === 401) dispatchEvent(new CustomEvent("logged-out"));
  throw new Problem(response.status, parsed(text) ?? { title: response.statusText || "No answer from the gateway" });
}

/** Send until it gets through: what a gateway answers that is there, or the last that was heard. */
async function tried(send) {
  for (const wait of RETRY_MS) {
    const response = await send().catch(unlessAborted);
    if (response.status !== undefined && !AWAY.includes(response.status)) return response;
    await new Promise((wake) => setTimeout(wake, wait));
  }
  const last = await send().catch(unlessAborted);
  if (last.status === undefined) throw unreachable(last.message);
  return last;
}

/** A connection that broke, to be tried again; a request that is no longer wanted ends here. */
function unlessAborted(error) {
  if (error.name === "AbortError") throw error;
  return error;
}

const unreachable = (reason) => new Problem(0, { title: "The gateway cannot be reached", detail: reason });

/** A random UUID; crypto.randomUUID is missing where the page is served without TLS from another machine. */
function newId() {
  const bits = crypto.getRandomValues(new Uint8Array(16));
  bits[6] = (bits[6] & 0x0f) | 0x40;
  bits[8] = (bits[8] & 0x3f) | 0x80;
  const hex = Array.from(bits, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
