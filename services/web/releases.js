// Apps and their releases; a release in detail; what became of a bundle.

import { all, get } from "./api.js";
import { badge } from "./badge.js";
import { fill, h, throttled } from "./dom.js";
import { act, confirm, roleButton } from "./feedback.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { bytes, full, number, plural } from "./model/format.js";
import { card, empty, faults, heading, resource, section, table } from "./page.js";
import { uploader } from "./upload.js";

const NEWS = [
  "release_available",
  "release_withdrawn",
  "release_rejected",
  "release_deleting",
  "release_deletion_refused",
  "release_deleted",
  "preparation_begun",
  "release_prepared",
  "preparation_failed",
];
const pathOf = ({ app, version }) => `${encodeURIComponent(app)}/${encodeURIComponent(version)}`;

export function releasesView(page) {
  const body = h("div");
  page.root.append(heading("Releases", { note: "Every app with its releases, newest first." }), uploader(page), body);
  const read = () => Promise.all([all("/v1/apps", {}, page.signal), all("/v1/releases", {}, page.signal)]);
  const load = resource(page, body, read, ([apps, releases], root) => {
    if (!apps.length)
      return fill(
        root,
        empty(
          "No release yet",
          "Upload a bundle: it is checked in full, and refused with every reason at once, or available.",
        ),
      );
    return fill(
      root,
      apps.map((app) =>
        appSection(
          app,
          releases.filter((release) => release.app === app.app),
        ),
      ),
    );
  });
  on(NEWS, throttled(load, 500), page.signal);
}

function appSection({ app, deployments }, releases) {
  const note = h(
    "p",
    { class: "muted" },
    `${plural(releases.length, "release")}, runs on ${plural(deployments, "site")}`,
  );
  return section(
    h("a", { href: `#/apps/${encodeURIComponent(app)}` }, app),
    note,
    table(
      [
        ["Release", (row) => h("a", { href: `#/releases/${pathOf(row)}` }, row.version)],
        ["State", (row) => badge(row.state)],
        ["Can be reached from", edges],
        ["Components", (row) => row.components.map(({ name }) => name).join(", ")],
        ["Size", (row) => bytes(row.bundle_bytes), "number"],
        ["Published", (row) => full(row.published_at)],
        [
          "",
          (row) =>
            row.state === "available" &&
            h("a", { href: rollOut(row), "aria-label": `Roll out ${row.app} ${row.version}` }, "Roll out"),
          "end",
        ],
      ],
      releases,
      `Releases of ${app}`,
    ),
  );
}

const rollOut = ({ app, version }) => `#/new-strategy?${new URLSearchParams({ app, version })}`;

function edges({ upgrades_from: ranges }) {
  if (!ranges) return "any release";
  return ranges.length
    ? h(
        "span",
        { class: "chips" },
        ranges.map((range) => h("code", {}, range)),
      )
    : "none: first deployment only";
}

/** The Pythons and platforms that a release names itself; nothing where it leaves that to the hosts. */
function places({ requires: { python, platforms } }) {
  const named = [python && `Python ${python}`, ...platforms].filter(Boolean);
  return named.length
    ? h(
        "span",
        { class: "chips" },
        named.map((one) => h("code", {}, one)),
      )
    : null;
}

export function releaseView(page) {
  const body = h("div");
  page.root.append(body);
  const load = resource(
    page,
    body,
    () => get(at("/v1/releases/{app}/{version}", page.params.app, page.params.version), {}, page.signal),
    (release) => fill(body, detail(release)),
  );
  on(NEWS, throttled(load, 300), page.signal);
}

function detail(release) {
  const actions = [
    release.actions.includes("prepare") && roleButton("Prepare", "operator", (button) => prepare(button, release)),
    release.actions.includes("withdraw") &&
      roleButton("Withdraw", "operator", (button) => withdraw(button, release), "danger"),
    release.actions.includes("delete") &&
      roleButton("Delete", "operator", (button) => remove(button, release), "danger"),
    release.state === "available" && h("a", { class: "button primary", href: rollOut(release) }, "Roll out"),
  ].filter(Boolean);
  const component = ({ name, driver, after, enabled, timeout_seconds, spec }) =>
    section(
      `Component ${name}`,
      card([
        ["Driver", driver],
        ["After", after.length ? after.join(", ") : null],
        ["Deployed", enabled === false ? "only where overrides switch it on" : null],
        ["Time to be ready", timeout_seconds ? `${number(timeout_seconds)} s` : null],
        ...Object.entries(spec)
          .filter(([, value]) => !isEmpty(value))
          .map(([key, value]) => [key.replaceAll("_", " "), shown(value)]),
      ]),
    );
  return [
    heading(`${release.app} ${release.version}`, {
      back: { href: "#/releases", text: "Releases" },
      note: release.description || null,
      actions,
    }),
    card([
      ["State", badge(release.state)],
      ["Can be reached from", edges(release)],
      ["Components at once", release.max_parallel_components],
      ["Installed on", places(release)],
      ["Published", full(release.published_at)],
      ["Bundle", h("code", { class: "digest" }, release.bundle_sha256)],
      ["Size", bytes(release.bundle_bytes)],
      ["Signed with", release.signature?.key],
      ["Fetched from", release.origin?.source],
      ["Which was", release.origin?.resolved],
      ["Deletion", release.deletion && (release.deletion.cause?.message ?? "asked for")],
      ["Prepared for sites", prepared(release)],
      ["Images", lines(release.images)],
      ["To know", lines(release.notices)],
    ]),
    release.preparation?.state === "prepared" && content(release),
    release.components.map(component),
  ];
}

const CONTENT = [
  ["Component", ({ component }) => component],
  ["What", ({ kind }) => kind],
  ["Name", ({ name }) => name, "wide"],
  ["Size", ({ bytes: size }) => bytes(size), "number"],
  ["Digest", ({ sha256 }) => h("code", { class: "digest" }, sha256)],
];

/** What it brings to sites, read once somebody wants to see it. */
function content({ app, version }) {
  const body = h("div", { "aria-live": "polite" });
  const read = () =>
    get(at("/v1/releases/{app}/{version}/content", app, version)).then(
      ({ items }) => fill(body, table(CONTENT, items, "What it brings to sites")),
      (error) => fill(body, faults(error)),
    );
  const details = h("details", { class: "card" }, h("summary", {}, "What it brings to sites"), body);
  details.addEventListener("toggle", () => details.open && read(), { once: true });
  return details;
}

/** Texts one below the other; nothing where there are none. */
function lines(texts) {
  if (!texts?.length) return null;
  return h(
    "ul",
    { class: "plain" },
    texts.map((text) => h("li", {}, text)),
  );
}

/** What was had ready of it, once for all sites; of what failed, why. */
function prepared({ preparation }) {
  if (!preparation) return "not yet";
  const { state, items, cause, notes } = preparation;
  const told = [
    state === "prepared" && `${bytes(preparation.site_bytes)} in ${plural(items, "item")}`,
    cause?.message,
    ...notes.map(({ component, text }) => `${component}: ${text}`),
  ].filter(Boolean);
  return h("div", {}, badge(state), lines(told));
}

const prepare = (button, release) =>
  act(
    button,
    `Preparing ${release.app} ${release.version}`,
    "POST",
    at("/v1/releases/{app}/{version}/prepare", release.app, release.version),
    {},
  );

const isEmpty = (value) => value === null || (typeof value === "object" && Object.keys(value).length === 0);

/** Settings of a component: simple ones as text, commands as a line, others as name and value. */
function shown(value) {
  if (Array.isArray(value)) return h("code", {}, value.map(plain).join(" "));
  if (typeof value !== "object") return h("code", {}, typeof value === "number" ? number(value) : String(value));
  return h(
    "ul",
    { class: "plain" },
    Object.entries(value)
      .filter(([, one]) => one !== null)
      .map(([key, one]) => h("li", {}, `${key.replaceAll("_", " ")}: `, h("code", {}, plain(one)))),
  );
}

const plain = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

async function withdraw(button, release) {
  const name = `${release.app} ${release.version}`;
  const answer = await confirm({
    title: `Withdraw ${name}?`,
    text: "No new operation may choose it. Sites that run it keep it.",
    verb: "Withdraw",
    reason: "",
  });
  if (answer)
    await act(
      button,
      `Withdrawn: ${name}`,
      "POST",
      at("/v1/releases/{app}/{version}/withdraw", release.app, release.version),
      answer,
    );
}

async function remove(button, release) {
  const name = `${release.app} ${release.version}`;
  const answer = await confirm({
    title: `Delete ${name}?`,
    text: "It goes for good, with its content, unless a site runs it or an operation goes there.",
    verb: "Delete",
    reason: "",
  });
  if (answer)
    await act(
      button,
      `Deleting ${name}`,
      "DELETE",
      at("/v1/releases/{app}/{version}", release.app, release.version),
      answer,
    );
}

/** Where a notification about a rejected bundle leads. */
export function bundleView(page) {
  const body = h("div");
  page.root.append(heading("Bundle", { back: { href: "#/releases", text: "Releases" } }), body);
  resource(
    page,
    body,
    () => get(at("/v1/bundles/{sha256}", page.params.sha256), {}, page.signal),
    (bundle) =>
      fill(
        body,
        card([
          ["File", bundle.file_name],
          ["State", badge(bundle.state)],
          ["App", bundle.app],
          ["Release", bundle.version],
          ["Digest", h("code", { class: "digest" }, bundle.bundle_sha256)],
        ]),
        bundle.faults.length > 0 &&
          section(plural(bundle.faults.length, "fault"), h("div", { class: "card" }, faults(bundle))),
      ),
  );
}
