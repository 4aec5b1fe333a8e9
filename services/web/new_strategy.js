// The form for a new strategy. The gateway judges it; every fault it finds is shown beside its field.

import { all, command } from "./api.js";
import { h } from "./dom.js";
import { confirm, done } from "./feedback.js";
import { checkbox, choice, field, fieldset, input, select, setOptions, submit, summary, textarea } from "./fields.js";
import { specOf } from "./model/strategy_spec.js";
import { failure, heading } from "./page.js";
import { navigate } from "./router.js";
import { missingRole } from "./session.js";
import { StageFields } from "./stage_fields.js";
import { entered } from "./strategy_form.js";

const TYPES = [
  ["update", "Update"],
  ["apply", "Apply"],
  ["rollback", "Roll back"],
];
const FAILURES = [
  ["first", "At the first failed site"],
  ["threshold", "At a threshold"],
  ["never", "Never, unless every site of a stage fails"],
];

export function newStrategyView(page) {
  const stages = new StageFields();
  const parts = {
    app: select("app", [["", "Choose an app"]]),
    version: select("version", [["", "Choose a release"]]),
    groups: h("div", { class: "checks" }),
  };
  const form = h(
    "form",
    { class: "card form", novalidate: true },
    summary(),
    what(parts),
    which(parts),
    stages.element,
    limits(),
    onFailure(),
    foot(),
  );
  page.root.append(
    heading("New strategy", {
      back: { href: "#/", text: "Strategies" },
      note: "It is checked and planned first. Nothing changes on any site until it is applied.",
    }),
    form,
  );
  form.addEventListener("submit", (event) => submit(event, form, () => create(form, stages)));
  form.addEventListener("change", () => showOnlyNeeded(form));
  showOnlyNeeded(form);
  offer(page, parts, form);
}

/** Fill the lists with what there is. */
async function offer(page, { app, version, groups }, form) {
  try {
    const [apps, releases, known] = await Promise.all(
      ["/v1/apps", "/v1/releases", "/v1/groups"].map((path) => all(path, {}, page.signal)),
    );
    setOptions(app, [["", "Choose an app"], ...apps.map((one) => one.app)], page.query.get("app") ?? "");
    const refresh = (chosen) => setOptions(version, versionsOf(releases, app.value), chosen);
    app.addEventListener("change", () => refresh(""));
    refresh(page.query.get("version") ?? "");
    groups.append(
      ...(known.length
        ? known.map((one) => checkbox("group", `${one.name} (${one.sites ?? "?"})`, false, one.name))
        : [h("small", {}, "There is no group yet.")]),
    );
  } catch (error) {
    if (error.name !== "AbortError") form.prepend(failure(error));
  }
}

function versionsOf(releases, app) {
  const usable = releases.filter((release) => release.app === app && release.state === "available");
  return [["", "Choose a release"], ...usable.map(({ version }) => version)];
}

const what = ({ app, version }) =>
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
        "A roll back may leave it out: then each site returns to what it had before.",
      ),
    ),
    h(
      "div",
      { class: "row" },
      field("name", "Name of the strategy", input("name", { placeholder: "shop-1.5-autumn" })),
      field("description", "Description", input("description", { placeholder: "for others" })),
    ),
  );

const which = ({ groups }) =>
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

const limits = () =>
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
      field("step_timeout_seconds", "Time for one site, in seconds", input("step_timeout_seconds", { value: "3600" })),
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

const onFailure = () =>
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

function foot() {
  const why = missingRole("operator");
  return h(
    "div",
    { class: "actions end" },
    why && h("p", { class: "muted" }, why),
    h("a", { class: "button", href: "#/" }, "Cancel"),
    h("button", { type: "submit", class: "primary", disabled: Boolean(why) }, "Check and plan"),
  );
}

function showOnlyNeeded(form) {
  const needed = { selection: !form.elements.everywhere.checked, threshold: form.elements.stop.value === "threshold" };
  for (const element of form.querySelectorAll("[data-needs]")) element.hidden = !needed[element.dataset.needs];
}

/** Plan it; a rollback that would lead sites to different releases is asked about. Null if the person thought again. */
async function planned(spec) {
  const send = (what) => command("POST", "/v1/strategies", what, `Plan ${what.name}`);
  try {
    return await send(spec);
  } catch (error) {
    const mixed = error.faults?.find(({ code }) => code === "mixed_targets");
    if (!mixed) throw error;
    const meant = await confirm({ title: "To different releases?", text: mixed.message, verb: "Plan it like this" });
    return meant && (await send({ ...spec, mixed: true }));
  }
}

async function create(form, stages) {
  const spec = specOf(entered(form, stages));
  const answer = await planned(spec);
  if (!answer) return;
  done(`${spec.name} is planned`);
  navigate(`/strategies/${encodeURIComponent(answer.command_id)}`);
}
