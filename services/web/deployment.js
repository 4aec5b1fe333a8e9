// One deployment: how an app stands on a site, what left it so (plan, phases, evidence), its values, drift and history.

import { get } from "./api.js";
import { badge } from "./badge.js";
import { mergedOf, valuesOf } from "./deployment_values.js";
import { fill, h, throttled } from "./dom.js";
import { icon } from "./icons.js";
import { on } from "./live.js";
import { at } from "./model/address.js";
import { concernsDeployment } from "./model/concerns.js";
import { words } from "./model/format.js";
import { storyOf, toneOf, towards } from "./model/story.js";
import { NEWS, operationTable, partsOfOperation, runsAs } from "./operations.js";
import { card, empty, heading, resource, section } from "./page.js";
import { driftTable } from "./site_runs.js";
import { since } from "./times.js";

export function deploymentView(page) {
  const { site, app } = page.params;
  const body = h("div");
  page.root.append(body);
  const load = throttled(
    resource(
      page,
      body,
      () => read(site, app, page.signal),
      (found) => fill(body, detail(found)),
    ),
    300,
  );
  on(NEWS, (event) => concernsDeployment(event, site, app) && load(), page.signal);
  on(["drift_found", "drift_ended"], (event) => concernsDeployment(event, site, app) && load(), page.signal);
  on(["overrides_changed"], ({ data }) => data?.app === app && load(), page.signal);
}

async function read(site, app, signal) {
  const [deployment, history, drift] = await Promise.all([
    get(at("/v1/deployments/{site}/{app}", site, app), {}, signal),
    get(at("/v1/deployments/{site}/{app}/history", site, app), { limit: 20 }, signal),
    get("/v1/drift", { site, app }, signal),
  ]);
  return { deployment, history: history.items, drift: drift.items, merged: await mergedOf(deployment, signal) };
}

function detail({ deployment, history, drift, merged }) {
  const { site, app, running, last } = deployment;
  const tone = toneOf(deployment, drift);
  return [
    heading(`${app} on ${site}`, {
      back: { href: `#/sites/${encodeURIComponent(site)}`, text: site },
      actions: [
        h("a", { class: "button", href: `#/apps/${encodeURIComponent(app)}` }, `All of ${app}`),
        h("a", { class: "button primary", href: `#/new-operation?${new URLSearchParams({ site, app })}` }, "Operation"),
      ],
    }),
    h("div", { class: `summary ${tone}` }, icon(ICONS[tone], 18), h("p", {}, storyOf(deployment, drift))),
    card([
      [runsAs(last), deployment.version ?? "nothing"],
      ["Status", badge(deployment.status)],
      ["Since", since(deployment.updated_at)],
      ["Last operation", last && operationLink(last)],
    ]),
    drift.length > 0 && section("Not as it was left", driftTable(drift)),
    ...(running ? partsOfOperation(running) : last ? partsOfOperation(last) : []),
    valuesOf(deployment, merged),
    section("History", history.length ? operationTable(history) : empty("No operation", "None is kept any more.")),
  ];
}

const ICONS = { good: "complete", mild: "warning", bad: "failed", busy: "running" };

const operationLink = (operation) =>
  h(
    "a",
    { href: `#/operations/${encodeURIComponent(operation.operation_id)}` },
    `${words(operation.kind)}${towards(operation)}`,
  );
