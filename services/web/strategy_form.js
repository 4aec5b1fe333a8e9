// The fields of the form for a new strategy, and what a person entered into them.

import { asReleased } from "./as_released.js";
import { h } from "./dom.js";
import { checkbox, choice, field, fieldset, input, select, textarea } from "./fields.js";

const TYPES = [
  ["update", "Update"],
  ["apply", "Apply"],
  ["rollback", "Roll back"],
  ["prestage", "Prestage"],
  ["remove", "Remove"],
];
const FAILURES = [
  ["first", "At the first failed site"],
  ["threshold", "At a threshold"],
  ["never", "Never, unless every site of a stage fails"],
];
const BOXES = ["everywhere", "force", "only_changes", "heed_monitor"];

/** The values of all fields by their names; of boxes whether they are checked, of groups those that are. */
export function entered(form, stages) {
  const texts = Object.fromEntries(new FormData(form));
  const boxes = Object.fromEntries(BOXES.map((name) => [name, form.elements[name].checked]));
  return { ...texts, ...boxes, group: new FormData(form).getAll("group"), stages: stages.value };
}

/** Hide the fields that mean nothing as the form stands. */
export function showOnlyNeeded(form) {
  const needed = { selection: !form.elements.everywhere.checked, threshold: form.elements.stop.value === "threshold" };
  for (const element of form.querySelectorAll("[data-needs]")) element.hidden = !needed[element.dataset.needs];
}

/** What is rolled out. `app` and `version` are the lists to choose from. */
export const what = ({ app, version }) =>
  h(
    "fieldset",
    { class: "group" },
    h("legend", {}, "What"),
    fieldset("type", "Type", choice("type", TYPES, "update")),
    h(
      "div",
      { class: "row" },
      field("app", "App", app),
      field(
        "version",
        "Release to reach",
        version,
        "A roll back may leave it out: then each site returns to what it had before. To remove an app none is chosen.",
      ),
    ),
    h(
      "div",
      { class: "row" },
      field("name", "Name of the strategy", input("name", { placeholder: "shop-1.5-autumn" })),
      field("description", "Description", input("description", { placeholder: "for others" })),
    ),
    more(),
  );

/** What is seldom needed. */
const more = () =>
  h(
    "details",
    {},
    h("summary", {}, "More"),
    h("div", { class: "row" }, asReleased()),
    checkbox("only_changes", "Apply: leave alone what is unchanged"),
  );

/** Which sites take part. `groups` holds the groups to choose from. */
export const which = ({ groups }) =>
  h(
    "fieldset",
    { class: "group field", "data-path": "selection" },
    h("legend", {}, "Which sites"),
    checkbox("everywhere", "The whole fleet"),
    h(
      "p",
      { class: "muted", "data-needs": "selection" },
      "Sites that are in one of the groups, carry all the labels, and are among those named; what is left empty is open.",
    ),
    h(
      "div",
      { class: "row", "data-needs": "selection" },
      fieldset("selection.groups", "Groups", groups),
      field(
        "selection.labels",
        "Labels",
        textarea("labels", { placeholder: "region=eu\ntier=gold" }),
        "Sites that carry all of them",
      ),
      field(
        "selection.sites",
        "Sites",
        textarea("sites", { placeholder: "oslo-1, oslo-2" }),
        "By name; each must take part",
      ),
    ),
    h(
      "div",
      { class: "row" },
      field(
        "selection.exclude.sites",
        "But not these sites",
        textarea("not-sites", { placeholder: "oslo-3" }),
        "By name",
      ),
      field("selection.exclude.groups", "Nor these groups", input("not-groups", { placeholder: "lab" }), "By name"),
      field(
        "selection.exclude.labels",
        "Nor these labels",
        textarea("not-labels", { placeholder: "tier=gold" }),
        "A site with any of them stays out",
      ),
    ),
    h("div", { class: "fault" }),
  );

/** How many sites at once, how long each may take. */
export const limits = () =>
  h(
    "fieldset",
    { class: "group" },
    h("legend", {}, "How fast"),
    h(
      "div",
      { class: "row" },
      field(
        "max_parallel",
        "Max parallel",
        input("max_parallel", { value: "10" }),
        "Sites at the same instant, 1 to 5000 or a per cent such as 20%, in each stage",
      ),
      field(
        "step_timeout_seconds",
        "Time for one site, in seconds",
        input("step_timeout_seconds"),
        "Empty = as the release says, else an hour",
      ),
      field(
        "timeout_seconds",
        "Time for all of it, in seconds",
        input("timeout_seconds"),
        "Then it aborts; empty = it may take any time",
      ),
      field(
        "catch_up_seconds",
        "Catch up, in seconds",
        input("catch_up_seconds"),
        "Sites that were offline are tried again once they are back, so long after its end",
      ),
      field(
        "apply_type",
        "Order",
        select("apply_type", [
          ["parallel", "In parallel"],
          ["serial", "One after another"],
        ]),
      ),
    ),
    h(
      "div",
      { class: "row" },
      field(
        "spread",
        "Spread stages over",
        input("spread", { placeholder: "groups" }),
        "A label such as region: each stage takes sites by the share of each of its values; empty = of each group",
      ),
    ),
    checkbox("force", "Do sites again that run the release already"),
  );

/** When it stops, and what then. */
export const onFailure = () =>
  h(
    "fieldset",
    { class: "group field", "data-path": "on_failure" },
    h("legend", {}, "When sites fail"),
    fieldset("on_failure.stop_on_failure", "Stop", choice("stop", FAILURES, "first")),
    h(
      "div",
      { class: "row", "data-needs": "threshold" },
      field(
        "on_failure.threshold",
        "Threshold",
        input("threshold", { placeholder: "5%" }),
        "3: at the third failure of a stage; 20%: once more than 20 % of its sites have failed",
      ),
      field(
        "on_failure.min_sample",
        "Minimum sample",
        input("min_sample", { value: "1" }),
        "Finished sites before a per cent stops a stage that still runs",
      ),
    ),
    fieldset(
      "on_failure.then",
      "Then",
      choice(
        "then",
        [
          ["fail", "End the strategy"],
          ["pause", "Pause and wait for me"],
        ],
        "fail",
      ),
    ),
    checkbox("heed_monitor", "Also pause when the monitor finds the failure rate high"),
    h("div", { class: "fault" }),
  );
