// What happened to a deployment, in a sentence or two.

import { recovery } from "./evidence.js";
import { words } from "./format.js";
import { waitsForPublication } from "./waiting.js";

/** How a deployment came to be what it is, and what is wrong with it: for who sees it for the first time. */
export function storyOf(
  { version, last, running, overrides_changed: otherwise, secrets_changed: secrets = [] },
  drift = [],
) {
  const told = [
    ...drift.map(drifted),
    last ? ended(last) : version ? `Release ${version} runs.` : "Nothing runs.",
    otherwise && "Something else is set for it now than when it was deployed: a reapply carries it out.",
    secrets.length && `${secrets.map(setAgain).join(" ")} A reapply carries it out.`,
    running && now(running),
  ];
  return told.filter(Boolean).join(" ");
}

const setAgain = ({ name, deployed, now: there }) =>
  `Secret ${name} was set again: version ${deployed} is deployed, and version ${there} is there.`;

function ended(last) {
  const itself = last.because ? ` It began by itself: ${sentence(last.because.message)}` : "";
  const done = `The last operation, ${words(last.kind)}${towards(last)}, ${last.state}.${itself}`;
  return last.state === "failed" ? `${done} ${sentence(last.cause?.message)} ${recovery(last)}`.trimEnd() : done;
}

function now(running) {
  const what = `Now: ${words(running.kind)}${towards(running)}`;
  if (waitsForPublication(running)) return `${what} waits for its release, which is still being published.`;
  return `${what}, ${words(running.phase ?? "queued")}.`;
}

const THEN = {
  told: "Nobody puts it right by itself.",
  put_right: "It is being put right.",
  given_up: "Putting it right was given up.",
};

/** What was found of a component. */
export const foundOf = ({ component, message }) => (component ? `${component}: ${message}` : message);

const drifted = ({ components, then }) => {
  const what = components.map(foundOf).join("; ");
  return `It is not as it was left: ${sentence(what)} ${THEN[then] ?? words(then)}`;
};

const sentence = (text = "") => text.replace(/([^.])$/, "$1.");

/** Which way an operation leads, to follow its kind. */
export const towards = ({ from_version: from, to_version: to }) =>
  to ? ` ${from && from !== to ? `from ${from} to ${to}` : `to ${to}`}` : from ? ` of ${from}` : "";

/** How it looks at a glance: well, bad, or "mild" where it runs but somebody should look; "" while it changes. */
export function toneOf({ last, running, overrides_changed: otherwise, secrets_changed: secrets = [] }, drift = []) {
  if (last?.state === "failed" && last.recovered === false) return "bad";
  if (running) return "busy";
  return last?.state === "failed" || drift.length || otherwise || secrets.length ? "mild" : "good";
}
