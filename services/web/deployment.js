// One deployment: how an app stands on a site, what left it so (plan, phases, evidence), its overrides and its history.

import { get } from "./api.js";
import { badge } from "./badge.js";
import { fill, h, throttled } from "./dom.js";
import { on } from "./live.js";
import { concernsDeployment } from "./model/concerns.js";
import { ago, full } from "./model/format.js";
import { storyOf } from "./model/story.js";
import { NEWS, operationTable, partsOfOperation } from "./operations.js";
import { overridesOf } from "./overrides.js";
import { card, empty, heading, resource, section } from "./page.js";

export function deploymentView(page) {
  const { site, app } = page.params;
  const path = `/v1/deployments/${encodeURIComponent(site)}/${encodeURIComponent(app)}`;
  const body = h("div");
  page.root.append(body);
  const read = () => Promise.all([get(path, {}, page.signal), get(`${path}/history`, { limit: 20 }, page.signal)]);
  const load = throttled(
    resource(page, body, read, ([deployment, history]) => fill(body, detail(deployment, history.items))),
    300,
  );
  on(NEWS, (event) => concernsDeployment(event, site, app) && load(), page.signal);
  on(["overrides_changed"], ({ data }) => data?.app === app && load(), page.signal);
}

function detail(deployment, history) {
  const { site, app, running, last } = deployment;
  return [
    heading(`${app} on ${site}`, {
      back: { href: `#/sites/${encodeURIComponent(site)}`, text: site },
      actions: [
        h("a", { class: "button primary", href: `#/new-operation?${new URLSearchParams({ site, app })}` }, "Operation"),
      ],
    }),
    h(
      "div",
      { class: last?.state === "failed" ? "summary" : "summary good" },
      badge(deployment.status),
      h("p", {}, storyOf(deployment)),
    ),
    card([
      ["Runs now", deployment.version ?? "nothing"],
      ["Status", badge(deployment.status)],
      ["Since", h("time", { title: full(deployment.updated_at) }, ago(deployment.updated_at))],
      ["Last operation", last && operationLink(last.operation_id)],
    ]),
    overridesOf(deployment),
    ...(running ? [h("h2", {}, "Now"), ...partsOfOperation(running)] : []),
    ...(last && !running ? partsOfOperation(last) : []),
    section("History", history.length ? operationTable(history) : empty("No operation", "None is kept any more.")),
  ];
}

const operationLink = (id) =>
  h("a", { href: `#/operations/${encodeURIComponent(id)}` }, h("code", { class: "digest" }, id));
