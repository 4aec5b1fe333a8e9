import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { changedRows, mergedRows, overrideOf, saidAt } from "../../../services/web/model/overrides.js";

const FORM = { level: "site", target: "oslo", values: "", unset: "", enabled: "", reason: "", nth: 3 };

describe("overrides", () => {
  test("are shown value by value with the level that each came from, a secret by its name", () => {
    const values = { image: { tag: "2" }, hosts: ["a"], "x.y": null, password: { secret: "shop" }, none: {} };
    const origins = { "image.tag": "group", hosts: "release", "x\\.y": "fleet", password: "site", none: "release" };
    assert.deepEqual(mergedRows({ values, origins }), [
      { path: "image.tag", value: '"2"', from: "group" },
      { path: "hosts", value: '["a"]', from: "release" },
      { path: "x\\.y", value: "null", from: "fleet" },
      { path: "password", value: '{"secret":"shop"}', from: "site" },
      { path: "none", value: "{}", from: "release" },
    ]);
  });

  test("are told of a level in a line", () => {
    assert.equal(saidAt({ values: { a: 1 }, enabled: false, namespace: "shop" }), '{"a":1}; off; namespace shop');
    assert.equal(saidAt({ values: {}, enabled: null, namespace: null }), "");
  });

  test("are sent as the form says: JSON as it is, any other text for the gateway to read", () => {
    const body = overrideOf({ ...FORM, values: '{"a": 1}', unset: " b c.d ", enabled: "off", reason: " why " });
    const told = {
      level: "site",
      target: "oslo",
      values: { a: 1 },
      unset: ["b", "c.d"],
      enabled: false,
      reason: "why",
    };
    assert.deepEqual(body, { ...told, expected_nth: 3 });
    assert.equal("target" in overrideOf({ ...FORM, level: "fleet", unset: "a" }), false);
    for (const values of ["image:\n  tag: '2'\n", "{", "[1]"])
      assert.equal(overrideOf({ ...FORM, values }).values, values);
    assert.deepEqual(overrideOf(FORM).values, {});
  });

  test("may replace all values there, name a namespace, and forget what was switched there", () => {
    const form = { ...FORM, namespace: " shop ", replace: "on", clear_attributes: "on" };
    const { namespace, replace, clear_attributes } = overrideOf(form);
    assert.deepEqual([namespace, replace, clear_attributes], ["shop", true, true]);
    for (const name of ["namespace", "replace", "clear_attributes"])
      assert.equal(name in overrideOf(FORM), false, name);
  });

  test("that changed since a deployment came are rows", () => {
    const changed = [
      { component: "web", values: [{ path: "a", before: null, after: "1" }], attributes: ["enabled: x"] },
    ];
    assert.deepEqual(changedRows(changed), [
      { component: "web", what: "a", before: "-", after: "1" },
      { component: "web", what: "enabled: x", before: "", after: "" },
    ]);
    assert.deepEqual(changedRows([], [{ name: "token", deployed: 1, now: 3 }]), [
      { component: "", what: "secret token", before: "version 1", after: "version 3" },
    ]);
  });
});
