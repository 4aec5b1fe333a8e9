// Who is logged in. The token lives as long as some tab of this page is open: a new tab asks the others for it, so that
// nothing of it is written to the disk, and it never stays in the address.

import { lacks, reaches } from "./model/roles.js";

const KEY = "belay.token";

export const session = { token: sessionStorage.getItem(KEY) ?? "", name: "", role: "" };

const OTHERS_MS = 200;
const tabs = new BroadcastChannel("belay");
let forgotten = () => {};

tabs.addEventListener("message", ({ data }) => {
  if (data.ask && session.token) tabs.postMessage({ token: session.token });
  if (data.forget && session.token) forgotten();
});

/** Take over the token of another tab, if one is open and logged in; resolves soon in any case. */
export function tokenFromOtherTab() {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      tabs.removeEventListener("message", heard);
      resolve();
    };
    const heard = ({ data }) => {
      if (!data.token) return;
      keep(data.token);
      end();
    };
    const timer = setTimeout(end, OTHERS_MS);
    tabs.addEventListener("message", heard);
    tabs.postMessage({ ask: true });
  });
}

/** Call `act` when another tab logs out: this one is logged out with it. */
export const onForgotten = (act) => (forgotten = act);

/** Take a token from a link `/#token=...` and remove it from the address and the history. */
export function tokenFromAddress() {
  const match = /^#token=(.+)$/.exec(location.hash);
  if (!match) return;
  keep(decodeURIComponent(match[1]));
  history.replaceState(null, "", `${location.pathname}#/`);
}

export function keep(token) {
  session.token = token.trim();
  sessionStorage.setItem(KEY, session.token);
}

/** Log out, in every tab. */
export function forget() {
  drop();
  tabs.postMessage({ forget: true });
}

/** Log out here alone: what this tab had is of no use. */
export function drop() {
  sessionStorage.removeItem(KEY);
  Object.assign(session, { token: "", name: "", role: "" });
}

/** Whether the role of this session may do what `needed` may. */
export const may = (needed) => reaches(session.role, needed);

/** Why a button is off for this person; empty when it is not. */
export const missingRole = (needed) => lacks(session.role, needed);
