// What is done by itself with an app: its switches in words, and what a form says of them as the command for it.

import { given, names, pair } from "./entered.js";

const onOff = [
  ["", "As the release says"],
  ["true", "On"],
  ["false", "Off"],
];

const EXAMPLE = "facts_changed fact=kubernetes";
const NONE = "none"; // typed for a list that is to be empty: an empty field leaves it to the release

/** Each switch: its label, what it means, and its choices; without choices it is typed. */
export const SWITCHES = {
  desired_state: {
    label: "Kept",
    hint: "Put right where it is not so any more",
    choices: [["", "As the release says"], "deployed", "absent"],
  },
  audit: { label: "Looked after", hint: "Asked again and again whether it is there and well", choices: onOff },
  auto_update: { label: "Updated by itself", hint: "To the newest allowed release", choices: onOff },
  auto_downgrade: { label: "Taken back by itself", hint: "Where the release that runs was withdrawn", choices: onOff },
  prereleases: { label: "Pre-releases, too", hint: "When it is updated by itself", choices: onOff },
  reapply: { label: "Applied again by itself", hint: "On the events below", choices: onOff },
  reapply_on: {
    label: "On these events",
    hint: `One a line, with what they must say: ${EXAMPLE}; none = on no event; empty = as the release says`,
  },
  deployed_on: { label: "Deployed on", hint: "Although nobody asked: site=NAME or group=NAME, one a line" },
  forbidden: {
    label: "Nobody may ask for",
    hint: "Such as remove, rollback; none = people may ask for all; empty = as the release says",
  },
};

const lines = (text) => text.split("\n").map(given).filter(Boolean);

const orNone = (read) => (text) => (text.trim() === NONE ? [] : read(text));

const READ = {
  reapply_on: orNone((text) => lines(text).map(triggerOf)),
  deployed_on: (text) => placesOf(lines(text).map(pair)),
  forbidden: orNone(names),
  desired_state: (text) => text,
};

const WRITE = {
  reapply_on: (all) =>
    all.map(({ event, filters = {} }) => [event, ...Object.entries(filters).map(equation)].join(" ")),
  deployed_on: ({ sites = [], groups = [] }) => [
    ...sites.map((name) => equation(["site", name])),
    ...groups.map((name) => equation(["group", name])),
  ],
  forbidden: (kinds) => [kinds.join(", ")],
};

const equation = ([key, value]) => `${key}=${value}`;

function triggerOf(line) {
  const [event, ...filters] = line.split(/\s+/);
  return filters.length ? { event, filters: Object.fromEntries(filters.map(pair)) } : { event };
}

/** A key that is neither goes along as it is, for the gateway to name it. */
function placesOf(pairs) {
  const found = {};
  for (const [key, name] of pairs) {
    const list = key === "site" ? "sites" : key === "group" ? "groups" : key;
    found[list] = [...(found[list] ?? []), name];
  }
  return found;
}

/** What people said of a switch, as its field shows it; empty = as the release says. */
export function shownAs(name, value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value) && !value.length) return NONE;
  return WRITE[name] ? WRITE[name](value).join("\n") : String(value);
}

/** The same for who only reads it. */
export const saidOf = (name, value) => (typeof value === "boolean" ? (value ? "on" : "off") : shownAs(name, value));

/** The fields of the form by their names, and what was said before, as the command: of what is as before it says nothing. */
export function behaviourOf(entered, before) {
  const changed = Object.keys(SWITCHES).filter((name) => entered[name].trim() !== shownAs(name, before[name]));
  const [set, released] = [
    changed.filter((name) => given(entered[name])),
    changed.filter((name) => !given(entered[name])),
  ];
  const read = (name) => (READ[name] ?? ((text) => text === "true"))(entered[name]);
  return {
    switches: Object.fromEntries(set.map((name) => [name, read(name)])),
    as_released: released,
    reason: entered.reason.trim(),
  };
}
