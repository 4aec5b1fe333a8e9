// How Belay itself is: its services with their replicas, and messages that could not be handled.

import { all, get } from "./api.js";
import { fill, h } from "./dom.js";
import { act, confirm, roleButton } from "./feedback.js";
import { hosts } from "./hosts.js";
import { icon } from "./icons.js";
import { at } from "./model/address.js";
import { clock, full, number, plural, words } from "./model/format.js";
import { batches, lacking, troublesOf } from "./model/troubles.js";
import { heading, resource, section, table } from "./page.js";
import { storage } from "./storage.js";

export function systemView(page) {
  const services = h("div");
  const letters = h("div");
  const time = h("span", { class: "muted" });
  const load = resource(
    page,
    services,
    () => get("/v1/system", {}, page.signal),
    (system) => {
      time.textContent = `as of ${clock(new Date())}`;
      fill(services, troubles(system.items), serviceTable(system.items));
    },
  );
  const loadLetters = resource(
    page,
    letters,
    () => get("/v1/dlq", {}, page.signal),
    ({ items: topics }) => showTopics(page, letters, topics, () => loadLetters()),
  );
  const [bundles, loadBundles] = storage(page);
  const [places, loadHosts] = hosts(page);
  const again = () => {
    for (const read of [load, loadHosts, loadBundles, loadLetters]) read();
  };
  const refresh = h("button", { type: "button", onclick: again }, icon("refresh"), "Refresh");
  page.root.append(heading("System", { actions: [time, refresh] }), section("Services", services), places, bundles);
  page.root.append(
    section(
      "Dead letters",
      h("p", { class: "muted" }, "Messages that could not be read or handled. They block nothing, and none is lost."),
      letters,
    ),
  );
}

/** What is wrong with Belay itself, each thing once however many replicas tell of it; nothing when all is well. */
function troubles(replicas) {
  const found = troublesOf(replicas);
  if (!found.length) return null;
  return h(
    "ul",
    { class: "troubles", "aria-label": "Troubles" },
    found.map(({ service, message, advice, since }) =>
      h(
        "li",
        { class: "card" },
        h("p", {}, h("span", { class: "badge tone-failed" }, icon("failed"), words(service)), ` ${message}`),
        h("p", { class: "muted" }, advice ? `What to do: ${advice}. ` : "", since ? `Since ${full(since)}.` : ""),
      ),
    ),
  );
}

function serviceTable(replicas) {
  return table(
    [
      ["Service", (row) => words(row.service)],
      ["Replica", (row) => row.instance],
      ["State", readiness],
      ["Version", (row) => row.version ?? ""],
      ["Lag", (row) => count(row.lag, "record"), "number"],
      ["Outbox", (row) => count(row.outbox, "message"), "number"],
      ["Error", (row) => row.error ?? "", "wide"],
    ],
    replicas,
    "Services",
  );
}

/** Ready, or what it lacks. */
function readiness(replica) {
  const why = lacking(replica);
  const shape = why ? "failed" : "complete";
  return h("span", { class: `badge tone-${shape}` }, icon(shape), why || "ready");
}

const count = (value, word) => (value === null || value === undefined ? "–" : plural(value, word));

function showTopics(page, root, topics, reload) {
  const some = topics.filter(({ count: waiting }) => waiting > 0);
  if (!some.length) return fill(root, h("p", { class: "good-line" }, icon("complete"), "There is none."));
  return fill(
    root,
    some.map((topic) => topicDetails(page, topic, reload)),
  );
}

function topicDetails(page, { topic, count: waiting }, reload) {
  const body = h("div");
  const details = h(
    "details",
    { class: "card" },
    h("summary", {}, topic, h("span", { class: "count plain" }, number(waiting))),
    body,
  );
  const open = () =>
    resource(
      page,
      body,
      () => all(at("/v1/dlq/{topic}", topic), {}, page.signal),
      (letters) => fill(body, letterTable(letters), replayButton(topic, letters, reload)),
    );
  details.addEventListener("toggle", () => details.open && open(), { once: true });
  return details;
}

function letterTable(letters) {
  return table(
    [
      ["Offset", (row) => row.offset, "number"],
      ["Why", (row) => [h("code", {}, row.code), ` ${row.reason}`], "wide"],
      ["Came from", (row) => row.origin],
      ["Key", (row) => row.key],
      ["When", (row) => full(row.at)],
      [
        "Body",
        (row) => (row.body === null ? null : h("details", {}, h("summary", {}, "Show"), h("pre", {}, row.body))),
        "wide",
      ],
    ],
    letters,
    "Dead letters",
  );
}

const replayButton = (topic, letters, reload) =>
  h(
    "div",
    { class: "actions end" },
    roleButton(`Send ${plural(letters.length, "message")} again`, "admin", (button) =>
      replay(button, topic, letters, reload),
    ),
  );

const AT_ONCE = 100; // of what the gateway sends again in one request

async function replay(button, topic, letters, reload) {
  const answer = await confirm({
    title: "Send them again?",
    text: "Each goes back to where it came from; a command gets a fresh id. What is still wrong with them will bring them back here.",
    verb: "Send again",
  });
  if (!answer) return;
  for (const batch of batches(letters, AT_ONCE)) {
    const offsets = batch.map(({ offset }) => offset);
    const sent = `Sent again: ${plural(offsets.length, "message")}`;
    if (!(await act(button, sent, "POST", at("/v1/dlq/{topic}/replay", topic), { offsets }))) break;
  }
  reload();
}
