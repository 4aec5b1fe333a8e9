// What was entered into the smaller forms, as the bodies that the API takes.

import { chosen, given, labelLines, labels, limit, names, said } from "./entered.js";

const WITHOUT_VERSION = ["recover", "remove"];

/** One job on one site, from the fields of its form by their names; what was left as it is is left out. */
export const operationOf = ({ kind, site, app, version, ...more }) => ({
  kind,
  site: given(site),
  app: given(app),
  version: WITHOUT_VERSION.includes(kind) ? undefined : given(version),
  ...chosen({
    publication: given(more.publication ?? ""),
    recover: given(more.recover ?? ""),
    timeout_seconds: limit(more.timeout_seconds ?? ""),
    force: more.force ? true : undefined,
    only_changes: more.only_changes ? true : undefined,
    reset_overrides: said(more.reset_overrides),
    reset_attributes: said(more.reset_attributes),
  }),
});

/** All apps of a site, updated or taken back. */
export const runOf = ({ kind, apps, go_on, prereleases, timeout_seconds: time }) => ({
  kind,
  apps: names(apps),
  on_failure: go_on ? "go_on" : "stop",
  prereleases: Boolean(prereleases),
  timeout_seconds: limit(time),
});

/** A group. Raises a fault in the gateway's words for one without a name where it is its address. */
export const groupOf = ({ name, description, apply_type, max_parallel }) => ({
  name: given(name),
  description: description.trim(),
  apply_type,
  max_parallel: limit(max_parallel),
});

/** A new site; connections are typed as JSON by driver. */
export const siteOf = ({ name, group, labels: marked, facts, connections }) => ({
  name: given(name),
  group: given(group),
  labels: labelLines(marked),
  facts: labelLines(facts),
  connections: connectionsOf(connections, "sites.0.connections"),
});

/** What the drivers must know, as JSON. Raises a fault in the gateway's words for what is none. */
function connectionsOf(text, path = "connections") {
  if (!given(text)) return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw faulty(path, `is not JSON: ${error.message}`, "The connections are not JSON", "unreadable");
  }
}

/** A change of all sites of a selection; what was left empty stays. */
export function changeOf({ groups, labels: carried, sites, everywhere, ...to }) {
  const selection = everywhere
    ? { all: true }
    : { groups: names(groups), labels: labels(carried), sites: names(sites) };
  return {
    selection,
    group: given(to.group),
    labels: labelLines(to.add_labels),
    unlabel: names(to.unlabel),
    facts: labelLines(to.add_facts),
    unset_facts: names(to.unset_facts),
    managed: said(to.managed),
    maintenance: said(to.maintenance),
  };
}

/** A webhook; `topics` is the list of those chosen. Raises a fault in the gateway's words for a template that is no JSON. */
export function subscriptionOf({ name, url, secret, topics, format, template }) {
  const body = { name: given(name), url: given(url), secret: given(secret), topics, format };
  return format === "custom" ? { ...body, template: templateOf(template) } : body;
}

/** A secret, its value as it was typed. Raises a fault in the gateway's words for one without a name: it has no address. */
export function secretOf({ name, value }) {
  if (given(name)) return { name: given(name), value };
  throw faulty("name", "this field is required", "The secret has no name");
}

/** An alarm of a site. Raises a fault in the gateway's words for one without a name: it has no address. */
export function alarmOf({ alarm, severity, affects, text }) {
  if (!given(alarm)) throw faulty("alarm", "this field is required", "The alarm has no name");
  return { name: given(alarm), severity, management_affecting: affects, text: given(text) ?? "" };
}

/** What is no JSON is refused here: it could not even be sent. */
function templateOf(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw faulty("template", `is not JSON: ${error.message}`, "The template is not JSON", "unreadable");
  }
}

export const faulty = (field, message, title, code = "missing_field") =>
  Object.assign(new Error(message), { title, faults: [{ code, field, message }] });

/** A key that signs bundles. Raises a fault in the gateway's words for one without a name: it has no address. */
export function keyOf({ name, public_key: key, expires_at: end }) {
  if (!given(name)) throw faulty("name", "this field is required", "The key has no name");
  return { name: given(name), public_key: given(key), expires_at: given(end) && new Date(end).toISOString() };
}

/** What a person changed of a site in its form, all of it as it was typed. Raises a fault for connections that are no JSON. */
export function siteChangeOf(site, { group, labels: marked, facts, connections }) {
  const [wanted, known] = [labelLines(marked), labelLines(facts)];
  const gone = (before, now) => Object.keys(before).filter((key) => !(key in now));
  const reached = connectionsOf(connections);
  return {
    ...(given(group) ? { group: given(group) } : { ungroup: true }),
    labels: wanted,
    unlabel: gone(site.labels, wanted),
    facts: known,
    unset_facts: gone(site.told_facts, known),
    ...(JSON.stringify(reached) === JSON.stringify(site.connections)
      ? {}
      : { connections: reached, disconnect: gone(site.connections, reached) }),
  };
}
