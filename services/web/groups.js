// Groups of sites, with limits that hold in all strategies together: the list, one more, changed, removed.

import { command, get } from "./api.js";
import { fill, h } from "./dom.js";
import { act, confirm, done, formEnd, roleButton } from "./feedback.js";
import { field, input, select, submit, summary } from "./fields.js";
import { folded, valuesOf } from "./folded.js";
import { at } from "./model/address.js";
import { plural } from "./model/format.js";
import { groupOf } from "./model/orders.js";
import { heading, resource, table } from "./page.js";

const APPLIES = [
  ["parallel", "in parallel"],
  ["serial", "one after another"],
];

export const groupList = (items) => [
  items.length ? table(COLUMNS, items, "Groups") : h("p", { class: "muted" }, "There is no group yet."),
  folded("Make a group", {
    verb: "Make it",
    fields: [h("div", { class: "row" }, field("name", "Name", input("name")), limits({}))],
    send: async (form) => {
      const group = groupOf(valuesOf(form));
      await command("POST", "/v1/groups", group, `Group ${group.name}`);
      done(`${group.name} is made`);
    },
  }),
];

const limits = ({ apply_type: type = "parallel", max_parallel: most = "100%", description = "" }) => [
  field("apply_type", "Its sites change", select("apply_type", APPLIES, type)),
  field("max_parallel", "Max parallel", input("max_parallel", { value: most }), "A number, or a per cent of the group"),
  field("description", "Description", input("description", { value: description })),
];

const COLUMNS = [
  ["Group", ({ name }) => h("a", { href: `#/groups/${encodeURIComponent(name)}` }, name)],
  [
    "Sites",
    ({ name, sites }) =>
      h("a", { href: `#/sites?${new URLSearchParams({ group: name })}` }, plural(sites ?? 0, "site")),
  ],
  ["Applies", ({ apply_type }) => (apply_type === "serial" ? "one after another" : "in parallel")],
  ["Max parallel", ({ max_parallel }) => max_parallel],
  ["Description", ({ description }) => description, "wide"],
  [
    "",
    (group) =>
      group.actions.includes("delete") && roleButton("Remove", "operator", (button) => remove(button, group), "danger"),
    "end",
  ],
];

async function remove(button, { name }) {
  const sure = await confirm({ title: `Remove ${name}?`, text: "It has no sites.", verb: "Remove it" });
  if (sure) await act(button, `Removed ${name}`, "DELETE", at("/v1/groups/{name}", name));
}

/** One group to be changed. */
export function groupView(page) {
  const { name } = page.params;
  const body = h("div");
  page.root.append(body);
  const begun = () => body.querySelector("form[data-begun]") !== null; // what somebody has written stays
  resource(
    page,
    body,
    () => get(at("/v1/groups/{name}", name), {}, page.signal),
    (group) => begun() || fill(body, detail(group)),
  );
}

const detail = (group) => [
  heading(group.name, {
    back: { href: "#/sites", text: "Sites" },
    note: plural(group.sites, "site"),
    actions: [h("a", { class: "button", href: `#/sites?${new URLSearchParams({ group: group.name })}` }, "Its sites")],
  }),
  changeForm(group),
];

function changeForm(group) {
  const form = h(
    "form",
    { class: "card form", novalidate: true },
    summary(),
    h("div", { class: "row" }, limits(group)),
    formEnd("operator", h("button", { type: "submit", class: "primary" }, "Save")),
  );
  const send = async () => {
    const { name, ...facts } = groupOf({ ...valuesOf(form), name: group.name });
    await command("PATCH", at("/v1/groups/{name}", name), facts, `Change of ${name}`);
    done(`Changed: ${name}`);
    form.removeAttribute("data-begun");
  };
  form.addEventListener("input", () => form.setAttribute("data-begun", ""));
  form.addEventListener("submit", (event) => submit(event, form, send));
  return form;
}
