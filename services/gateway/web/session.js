// Who is logged in. The token lives as long as the tab, and never stays in the address.

const KEY = "belay.token";
const ROLES = ["viewer", "operator", "approver", "admin"];

export const session = { token: sessionStorage.getItem(KEY) ?? "", name: "", role: "" };

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

export function forget() {
  sessionStorage.removeItem(KEY);
  Object.assign(session, { token: "", name: "", role: "" });
}

/** Whether the role of this session may do what `needed` may. */
export const may = (needed) => ROLES.indexOf(session.role) >= ROLES.indexOf(needed);

/** Why a button is off for this person; empty when it is not. */
export const missingRole = (needed) => (may(needed) ? "" : `This needs the role ${needed}; you are ${session.role}.`);
