// Upload of a bundle: drop it or choose it, see how far it is, and what became of it.

import { get, upload } from "./api.js";
import { fill, h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { on } from "./live.js";
import { bytes, percent, plural } from "./model/format.js";
import { faults } from "./page.js";
import { missingRole } from "./session.js";

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
  const send = (chosen) => chosen && !why && run(page, chosen, outcome).finally(() => (file.value = ""));
  file.addEventListener("change", () => send(file.files[0]));
  acceptDrops(zone, send);
  return h("div", { class: "uploader" }, file, zone, outcome);
}

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

async function run(page, file, outcome) {
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
    const answer = await upload(file, moved);
    moved(1);
    if (answer.state === "sent") return showSent(outcome, file);
    showEnd(outcome, file, await verdict(page, answer));
  } catch (error) {
    if (error.faults === undefined) throw error;
    showEnd(outcome, file, { state: "rejected", faults: error.faults, message: error.message });
  }
}

/** What the catalog says of the bundle: perhaps it has spoken already, else its event will tell. */
function verdict(page, answer) {
  const sha256 = answer.result?.bundle_sha256;
  return new Promise((resolve, reject) => {
    const heard = new AbortController();
    const look = () =>
      get(`/v1/bundles/${sha256}`).then((bundle) => {
        if (bundle.state === "validating") return;
        heard.abort();
        resolve(bundle);
      }, reject);
    page.signal.addEventListener("abort", () => heard.abort());
    on(
      ["release_available", "release_rejected"],
      (event) => event.data?.bundle_sha256 === sha256 && look(),
      heard.signal,
    );
    look();
  });
}

/** It is there, and the catalog does not answer just now. */
function showSent(outcome, file) {
  const text = `${file.name} is uploaded; the catalog will check it once it answers`;
  fill(outcome, h("div", { class: "summary" }, icon("waiting", 18), h("strong", {}, text)));
}

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
    return;
  }
  const title = `${file.name} was rejected${bundle.faults.length ? `: ${plural(bundle.faults.length, "fault")}` : ""}`;
  fill(
    outcome,
    h("div", { class: "summary" }, icon("failed", 18), h("div", {}, h("strong", {}, title), faults(bundle))),
  );
}
