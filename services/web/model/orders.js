// What was entered into the smaller forms, as the bodies that the API takes.

import { given } from "./entered.js";

const WITHOUT_VERSION = ["recover", "remove"];

/** One job on one site, from the fields of its form by their names. */
export const operationOf = ({ kind, site, app, version }) => ({
  kind,
  site: given(site),
  app: given(app),
  version: WITHOUT_VERSION.includes(kind) ? undefined : given(version),
});

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
