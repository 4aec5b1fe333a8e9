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

/** What is no JSON is refused here: it could not even be sent. */
function templateOf(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    const fault = { code: "unreadable", field: "template", message: `is not JSON: ${error.message}` };
    throw Object.assign(new Error(fault.message), { title: "The template is not JSON", faults: [fault] });
  }
}
