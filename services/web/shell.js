// The frame around the views: navigation, how the stream is, light or dark, who is logged in.

import { announce, fill, h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { onConnection } from "./live.js";
import { clock } from "./model/format.js";
import { may, session } from "./session.js";

const PLACES = [
  ["strategies", "Strategies", "#/"],
  ["releases", "Releases", "#/releases"],
  ["sites", "Sites", "#/sites"],
  ["operations", "Operations", "#/operations"],
  ["notifications", "Notifications", "#/notifications"],
  ["system", "System", "#/system"],
  ["audit", "Audit", "#/audit", "admin"],
];
const CONNECTION = { connecting: "Connecting", live: "Live" };
const THEME = "belay.theme";

const links = new Map();
const unread = h("span", { class: "count", hidden: true });
const connection = h("span", { class: "connection", role: "status" });
let lost = "";

/** Build the frame; `logOut` is called by its button. */
export function startShell(logOut) {
  const top = document.getElementById("top");
  top.hidden = false;
  fill(
    top,
    h(
      "a",
      { class: "brand", href: "#/" },
      h("img", { src: "/static/logo.svg", alt: "", width: 26, height: 26 }),
      "Belay",
    ),
    h("nav", { "aria-label": "Main" }, PLACES.filter(([, , , role]) => !role || may(role)).map(link)),
    h("div", { class: "who" }, connection, themeButton(), person(logOut)),
  );
}

function link([place, text, href]) {
  const element = h("a", { href }, text, place === "notifications" && unread);
  links.set(place, element);
  return element;
}

function person(logOut) {
  const label = `Log out ${session.name}`;
  return [
    h("span", { class: "me" }, session.name, h("small", {}, session.role)),
    h("button", { class: "quiet", type: "button", title: label, "aria-label": label, onclick: logOut }, icon("out")),
  ];
}

/** Mark where in the navigation the shown view belongs. */
export function markPlace(place) {
  for (const [name, element] of links) {
    if (name === place) element.setAttribute("aria-current", "page");
    else element.removeAttribute("aria-current");
  }
  intoSight(links.get(place));
}

/** On a narrow screen the places do not fit beside each other; the page itself must not move for it. */
function intoSight(element) {
  const nav = element?.parentElement;
  if (nav) nav.scrollLeft = element.offsetLeft - nav.offsetLeft - (nav.clientWidth - element.offsetWidth) / 2;
}

/** The number on the notifications; 0 hides it. */
export function showUnread(count) {
  unread.hidden = count === 0;
  setText(unread, count > 99 ? "99+" : String(count));
  unread.setAttribute("aria-label", `${count} unread`);
}

function showConnection(state) {
  const before = connection.dataset.state;
  connection.dataset.state = state;
  // What is shown stays as it was then: who comes to an open page at night must see from when it is.
  if (state === "reconnecting" && before !== state) lost = clock(Date.now());
  setText(connection, state === "reconnecting" ? `Reconnecting: as of ${lost}` : CONNECTION[state]);
  if (before === "live" && state !== "live") announce("The connection is lost; reconnecting");
}

onConnection(showConnection);

/** Light or dark: what the system says, until a person chooses. */
export function startTheme() {
  const chosen = localStorage.getItem(THEME);
  if (chosen) document.documentElement.dataset.theme = chosen;
}

const isDark = () =>
  (document.documentElement.dataset.theme ??
    (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function themeButton() {
  const button = h("button", { class: "quiet", type: "button", id: "theme", onclick: () => toggle(button) });
  face(button);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => face(button));
  return button;
}

function toggle(button) {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(THEME, theme);
  face(button);
  dispatchEvent(new CustomEvent("theme"));
}

function face(button) {
  const label = `Switch to ${isDark() ? "light" : "dark"}`;
  button.title = label;
  button.setAttribute("aria-label", label);
  fill(button, icon(isDark() ? "sun" : "moon"));
}
