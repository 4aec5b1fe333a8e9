// Sites as they are added, and many of them changed at once.

import { command } from "./api.js";
import { h } from "./dom.js";
import { done } from "./feedback.js";
import { checkbox, field, input, select, textarea } from "./fields.js";
import { folded, valuesOf } from "./folded.js";
import { plural } from "./model/format.js";
import { changeOf, siteOf } from "./model/orders.js";

export const siteForms = () => h("div", { class: "folds" }, addForm(), changeForm());

const AS_IT_IS = [
  ["", "As it is"],
  ["true", "Yes"],
  ["false", "No"],
];

const addForm = () =>
  folded("Add a site", {
    verb: "Add it",
    fields: [
      h(
        "div",
        { class: "row" },
        field("sites.0.name", "Name", input("name")),
        field("sites.0.group", "Group", input("group"), "empty = none"),
        field("sites.0.labels", "Labels", textarea("labels"), "key=value, one a line"),
        field("sites.0.facts", "Facts of its platform", textarea("facts"), "key=value, one a line"),
      ),
      field(
        "sites.0.connections",
        "Connections",
        textarea("connections", {
          placeholder: '{"ansible": {"address": "oslo.example.org", "key": {"secret": "fleet-key"}}}',
        }),
        "As JSON: by driver, what it must know to get there",
      ),
    ],
    send: async (form) => {
      const site = siteOf(valuesOf(form));
      await command("POST", "/v1/sites", { sites: [site] }, `Site ${site.name}`);
      done(`${site.name} is added`);
    },
  });

const changeForm = () =>
  folded("Change many sites at once", {
    verb: "Change them",
    fields: [
      h(
        "p",
        { class: "muted" },
        "Sites that are in one of the groups, carry all the labels, and are among those named.",
      ),
      checkbox("everywhere", "The whole fleet"),
      h(
        "div",
        { class: "row" },
        field("selection.groups", "Groups", input("groups"), "By name"),
        field("selection.labels", "Labels", input("labels", { placeholder: "tier=gold" })),
        field("selection.sites", "Sites", input("sites"), "By name"),
      ),
      h(
        "div",
        { class: "row" },
        field("group", "Put into the group", input("group")),
        field("labels", "Labels to set", textarea("add_labels"), "key=value, one a line"),
        field("unlabel", "Labels to take away", input("unlabel"), "By key"),
        field("facts", "Facts to set", textarea("add_facts"), "key=value, one a line"),
        field("unset_facts", "Facts to take away", input("unset_facts"), "By key"),
        field("managed", "Managed by strategies", select("managed", AS_IT_IS)),
        field("maintenance", "In maintenance", select("maintenance", AS_IT_IS)),
      ),
    ],
    send: async (form) => {
      const { result = {} } = await command("PATCH", "/v1/sites", changeOf(valuesOf(form)), "Change of many sites");
      done(result.sites === undefined ? "They are changed" : `Changed: ${plural(result.sites, "site")}`);
    },
  });
