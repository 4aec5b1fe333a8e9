import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { at } from "../../../services/web/model/address.js";
import { behaviourOf, SWITCHES, saidOf, shownAs } from "../../../services/web/model/behaviour.js";
import {
  changeOf,
  groupOf,
  keyOf,
  operationOf,
  runOf,
  siteChangeOf,
  siteOf,
} from "../../../services/web/model/orders.js";
import { weightiest } from "../../../services/web/model/overrides.js";

test("a path of the API takes its parts in order, each safe in an address", () => {
  assert.equal(at("/v1/sites/{site}/alarms/{alarm}", "oslo", "a/b c"), "/v1/sites/oslo/alarms/a%2Fb%20c");
});

describe("what is done by itself with an app", () => {
  const before = {
    auto_update: true,
    reapply_on: [{ event: "facts_changed", filters: { group: "north" } }],
    deployed_on: { sites: ["oslo"], groups: ["north"] },
    forbidden: ["remove"],
  };
  const untouched = {
    ...Object.fromEntries(Object.keys(SWITCHES).map((name) => [name, shownAs(name, before[name])])),
    reason: " ",
  };

  test("says nothing of what is as it was", () => {
    assert.equal(untouched.reapply_on, "facts_changed group=north");
    assert.equal(untouched.deployed_on, "site=oslo\ngroup=north");
    assert.deepEqual(behaviourOf(untouched, before), { switches: {}, as_released: [], reason: "" });
  });

  test("is as the release says again where a field was emptied", () => {
    const entered = { ...untouched, auto_update: "", forbidden: "", reason: "enough" };
    assert.deepEqual(behaviourOf(entered, before), {
      switches: {},
      as_released: ["auto_update", "forbidden"],
      reason: "enough",
    });
  });

  test("may forbid nothing and heed no event, which is not what the release says", () => {
    const entered = { ...untouched, forbidden: " none ", reapply_on: "none" };
    const said = behaviourOf(entered, before);
    assert.deepEqual([said.switches, said.as_released], [{ reapply_on: [], forbidden: [] }, []]);
    const shown = { forbidden: shownAs("forbidden", []), reapply_on: shownAs("reapply_on", []) };
    assert.deepEqual(behaviourOf({ ...untouched, ...shown }, { ...before, ...said.switches }).switches, {});
    assert.equal(saidOf("forbidden", []), "none");
  });

  test("takes what was typed, and sends on what it does not know", () => {
    const entered = {
      ...untouched,
      audit: "false",
      desired_state: "absent",
      reapply_on: "platform_changed\n\nalarm_raised alarm=disk",
      deployed_on: "group=south\nsitte=oslo",
      forbidden: "remove, rollback",
    };
    assert.deepEqual(behaviourOf(entered, before).switches, {
      desired_state: "absent",
      audit: false,
      reapply_on: [{ event: "platform_changed" }, { event: "alarm_raised", filters: { alarm: "disk" } }],
      deployed_on: { groups: ["south"], sitte: ["oslo"] },
      forbidden: ["remove", "rollback"],
    });
  });
});

describe("smaller forms", () => {
  const sent = (body) => JSON.parse(JSON.stringify(body));

  test("an operation leaves out what a person left as it is", () => {
    const plain = { kind: "update", site: "oslo", app: "shop", version: "2" };
    assert.deepEqual(sent(operationOf({ ...plain, recover: "", publication: " ", timeout_seconds: "" })), plain);
    const more = { recover: "never", publication: "p-1", timeout_seconds: "90", reset_overrides: "false", force: "on" };
    assert.deepEqual(sent(operationOf({ ...plain, version: "", ...more })), {
      kind: "update",
      site: "oslo",
      app: "shop",
      publication: "p-1",
      recover: "never",
      timeout_seconds: 90,
      reset_overrides: false,
      force: true,
    });
  });

  test("a run over all apps stops at a failure unless told to go on", () => {
    const entered = { kind: "update", apps: "a, b", timeout_seconds: "60" };
    assert.deepEqual(runOf(entered), {
      kind: "update",
      apps: ["a", "b"],
      on_failure: "stop",
      prereleases: false,
      timeout_seconds: 60,
    });
    assert.equal(runOf({ ...entered, go_on: "on" }).on_failure, "go_on");
  });

  test("of a site only what differs is taken away, and connections that did not change are not sent", () => {
    const site = { labels: { tier: "edge", old: "1" }, told_facts: { p: "1" }, connections: { helm: {} } };
    const entered = { group: "", labels: "tier=gold", facts: "", connections: '{"helm": {}}' };
    assert.deepEqual(siteChangeOf(site, entered), {
      ungroup: true,
      labels: { tier: "gold" },
      unlabel: ["old"],
      facts: {},
      unset_facts: ["p"],
    });
    const other = siteChangeOf(site, { ...entered, group: "north", connections: '{"ansible": {"address": "a"}}' });
    assert.deepEqual([other.group, other.disconnect], ["north", ["helm"]]);
    assert.deepEqual(other.connections, { ansible: { address: "a" } });
  });

  test("what is no JSON, or has no name, is refused beside its field", () => {
    const of = (work) => {
      try {
        return work();
      } catch (error) {
        return error.faults[0].field;
      }
    };
    const site = { name: "oslo", group: "", labels: "", facts: "" };
    assert.equal(
      of(() => siteOf({ ...site, connections: "{" })),
      "sites.0.connections",
    );
    assert.equal(
      of(() => keyOf({ name: " ", public_key: "k", expires_at: "" })),
      "name",
    );
    assert.deepEqual(sent(siteOf({ ...site, connections: "" })), {
      name: "oslo",
      labels: {},
      facts: {},
      connections: {},
    });
  });

  test("groups, keys and changes of many sites are sent as the API takes them", () => {
    const group = { name: "north", description: " ", apply_type: "serial", max_parallel: "20%" };
    assert.deepEqual(groupOf(group), { ...group, description: "" });
    assert.equal(
      keyOf({ name: "ci", public_key: "k", expires_at: "2030-01-01T00:00Z" }).expires_at,
      "2030-01-01T00:00:00.000Z",
    );
    const entered = { groups: "", labels: "", sites: "", group: "", add_labels: "a=b c", unlabel: "x", add_facts: "" };
    const change = changeOf({ ...entered, unset_facts: "", managed: "false", maintenance: "", everywhere: "on" });
    assert.deepEqual(sent(change), {
      selection: { all: true },
      labels: { a: "b c" },
      unlabel: ["x"],
      facts: {},
      unset_facts: [],
      managed: false,
    });
  });
});

test("of a deployment's values those that people set come first, with the level each came from", () => {
  const web = {
    component: "web",
    values: { port: 80, log: "debug" },
    origins: { port: "release", log: "group" },
    levels: [
      { level: "fleet", enabled: true, namespace: null },
      { level: "site", enabled: false, namespace: null },
    ],
  };
  const { set, released } = weightiest([web]);
  assert.deepEqual(
    set.map(({ path, value, from }) => [path, value, from]),
    [
      ["deployed", "false", "site"],
      ["log", '"debug"', "group"],
    ],
  );
  assert.deepEqual(
    released.map(({ path }) => path),
    ["port"],
  );
});
