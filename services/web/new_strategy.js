// The form for a new strategy. The gateway judges it; every fault it finds is shown beside its field.

import { all, command } from "./api.js";
import { h } from "./dom.js";
import { confirm, done, formEnd } from "./feedback.js";
import { checkbox, select, setOptions, submit, summary } from "./fields.js";
import { specOf } from "./model/strategy_spec.js";
import { failure, heading } from "./page.js";
import { navigate } from "./router.js";
import { StageFields } from "./stage_fields.js";
import { entered, limits, onFailure, showOnlyNeeded, what, which } from "./strategy_form.js";

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
    formEnd("operator", ...buttons()),
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
  reach(page.query.get("publication"), form);
  offer(page, parts, form);
}

/** The release of a publication under way, which no list shows yet. */
function reach(publication, form) {
  if (!publication) return;
  form.elements.publication.value = publication;
  form.elements.publication.closest("details").open = true;
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

const buttons = () => [
  h("a", { class: "button", href: "#/" }, "Cancel"),
  h("button", { type: "submit", class: "primary" }, "Check and plan"),
];

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
  done(spec.publication ? `${spec.name} waits for its release` : `${spec.name} is planned`);
  navigate(`/strategies/${encodeURIComponent(answer.command_id)}`);
}
