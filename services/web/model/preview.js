// What is planned for an app on a site, as the answer to a preview and the operation that was carried out tell it.

import { changedRows } from "./overrides.js";

/** Every value that would change of the components of a plan, before and after. */
export const valuesOf = (plan) =>
  changedRows(plan.map(({ component, values = [] }) => ({ component, values, attributes: [] })));

/** What is to be known beside a plan: of its components, and of the operation as a whole. */
export const noticesOf = (plan, notices = []) => [
  ...notices,
  ...plan.flatMap(({ component, notices: own = [] }) => own.map((line) => `${component}: ${line}`)),
];

/** The apps that are changed before, in their order. */
export const firstOf = ({ first = [] }) => first.map(({ app, version }) => `${app} to ${version}`);

/** What becomes of the site when it fails; a prestage changes nothing that runs. */
export function whenItFails({ point_of_no_return: phase }, kind) {
  if (kind === "prestage") return "What runs stays as it is, however it ends.";
  return phase ? `From ${phase} on it is not turned back when it fails.` : "If it fails, it is turned back.";
}
