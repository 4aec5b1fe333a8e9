// Upload of a bundle: drop it or choose it, see how far it is, and what became of it.

import { command, get } from "./api.js";
import { fill, h, setText } from "./dom.js";
import { field, input } from "./fields.js";
import { valuesOf } from "./folded.js";
import { icon } from "./icons.js";
import { on, onGap } from "./live.js";
import { at } from "./model/address.js";
import { bytes, percent, plural } from "./model/format.js";
import { passes, saidOf } from "./model/sending.js";
import { faults } from "./page.js";
import { send } from "./sending.js";
import { missingRole } from "./session.js";

const AGAIN_MS = 3000; // a gateway that is away says nothing of the bundle: least of all that it was rejected

export function uploader(page) {
  const why = missingRole("operator");
  const file = h("input", { type: "file", class: "unseen", id: "bundle", accept: ".gz,.tgz", disabled: Boolean(why) });
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const zone = h(
    "label",
    { class: "drop", htmlFor: "bundle", title: why || null },
    icon("upload", 20),
    h("span", {}, h("strong", {}, "Upload a bundle"), h("small", {}, why || "Choose a .tar.gz, or drop it here")),
  );
  const names = why ? null : naming();
  const start = async (chosen) => {
    if (!chosen || why) return;
    const said = saidOf(valuesOf(names));
    const state = await run(page, chosen, said, outcome).finally(() => (file.value = ""));
    emptied(names, state, said);
  };
  file.addEventListener("change", () => start(file.files[0]));
  acceptDrops(zone, start);
  return h("div", { class: "uploader" }, file, zone, why ? null : elsewhere(page, names, outcome), names, outcome);
}

/** What a bundle may leave to the person who publishes it, as old tarballs do that have no metadata.yaml. */
const naming = () =>
  h(
    "form",
    { class: "form", "aria-label": "What the bundle does not say", onsubmit: (event) => event.preventDefault() },
    h(
      "details",
      { class: "card" },
      h("summary", {}, "Name, version, digest"),
      h(
        "div",
        { class: "row" },
        field("app", "Name of the app", input("app"), "Where the bundle does not say it"),
        field("version", "Its version", input("version"), "Likewise"),
        field("sha256", "SHA-256", input("sha256"), "What the bundle must be; empty = whatever comes"),
      ),
    ),
  );

/** The next bundle must not get the name of this one; of one that was refused it is there to be put right. */
const emptied = (names, state, said) => state === "available" && same(said, saidOf(valuesOf(names))) && names.reset();

/** What is typed meanwhile is for the next one. */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** A bundle that lies elsewhere is fetched by the catalog itself. */
function elsewhere(page, names, outcome) {
  const source = h("input", {
    type: "text",
    required: true,
    "aria-label": "Where a bundle lies",
    placeholder: "https://…, oci://REGISTRY/REPOSITORY@sha256:… or sha256:…",
  });
  const form = h("form", { class: "line" }, source, h("button", { type: "submit", class: "button" }, "Fetch"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = saidOf(valuesOf(names));
    const state = await fetched(page, { source: source.value.trim(), ...said }, outcome);
    emptied(names, state, said);
  });
  return form;
}

async function fetched(page, order, outcome) {
  const { source } = order;
  const about = { name: source };
  try {
    fill(outcome, h("div", { class: "uploading" }, `${source}: being fetched`));
    const answer = await command("POST", "/v1/publications", order, `Fetch ${source}`);
    outcome.firstElementChild.append(rollOut(answer.command_id));
    return showEnd(outcome, about, await verdict(page, answer.command_id));
  } catch (error) {
    if (error.faults === undefined) throw error;
    return showEnd(outcome, about, { state: "rejected", faults: error.faults, message: error.message });
  }
}

/** A large bundle is checked for minutes: what it is for can be said meanwhile. */
const rollOut = (publication) =>
  h("a", { href: `#/new-strategy?${new URLSearchParams({ publication })}` }, "Roll it out once it is available");

function acceptDrops(zone, send) {
  const over = (yes) => (event) => {
    event.preventDefault();
    zone.classList.toggle("over", yes);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => {
    over(false)(event);
    send(event.dataTransfer.files[0]);
  });
}

async function run(page, file, said, outcome) {
  const meter = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
  const text = h("span", {});
  fill(outcome, h("div", { class: "uploading" }, text, meter));
  const moved = (share) => {
    meter.value = share;
    const sofar = share < 1 ? `${percent(share)} of ${bytes(file.size)}` : "being checked";
    setText(text, `${file.name}: ${sofar}`);
  };
  moved(0);
  try {
    const { limit_bytes: limit } = await get("/v1/storage");
    if (file.size > limit) {
      const message = `It has ${bytes(file.size)}; a bundle may have ${bytes(limit)} at most.`;
      return showEnd(outcome, file, { state: "rejected", faults: [], message });
    }
    const sent = await send(file, said, moved);
    moved(1);
    outcome.firstElementChild.append(rollOut(sent.publication));
    return showEnd(outcome, file, await verdict(page, sent.publication));
  } catch (error) {
    if (error.faults === undefined) throw error;
    return showEnd(outcome, file, { state: "rejected", faults: error.faults, message: error.message });
  }
}

/** What became of a publication: perhaps that is known already, else its event will tell. */
function verdict(page, id) {
  return new Promise((resolve, reject) => {
    const heard = new AbortController();
    const look = () => heard.signal.aborted || get(at("/v1/publications/{id}", id)).then(told, unknown);
    const told = (publication) => {
      if (publication.state === "under_way") return;
      heard.abort();
      resolve(publication);
    };
    const unknown = (error) => {
      if (error.status === 404) return; // nothing was said of it yet
      if (passes(error, [])) setTimeout(look, AGAIN_MS);
      else reject(error);
    };
    page.signal.addEventListener("abort", () => heard.abort());
    on(["publication_settled"], (event) => event.data?.publication === id && look(), heard.signal);
    onGap(look, heard.signal); // its end may be among what was missed
    look();
  });
}

/** Returns the state that it ended in. */
function showEnd(outcome, file, bundle) {
  if (bundle.state === "available") {
    fill(
      outcome,
      h(
        "div",
        { class: "summary good" },
        icon("complete", 18),
        h("strong", {}, `${bundle.app} ${bundle.version} is available`),
      ),
    );
    return bundle.state;
  }
  const end = bundle.state === "failed" ? "could not be had" : "was rejected";
  const title = `${file.name} ${end}${bundle.faults.length ? `: ${plural(bundle.faults.length, "fault")}` : ""}`;
  fill(
    outcome,
    h("div", { class: "summary" }, icon("failed", 18), h("div", {}, h("strong", {}, title), faults(bundle))),
  );
  return bundle.state;
}
