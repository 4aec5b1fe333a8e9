import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { given, labelLines, labels, limit, names, pairs } from "../../../services/web/model/entered.js";
import { alarmOf, operationOf, secretOf, subscriptionOf } from "../../../services/web/model/orders.js";
import { specOf, stageOf } from "../../../services/web/model/strategy_spec.js";

/** As JSON it goes out: what is undefined is left out. */
const sent = (body) => JSON.parse(JSON.stringify(body));

describe("what is typed into a field", () => {
  test("a limit is a number or a per cent; anything else goes as it is, for the gateway to judge", () => {
    assert.deepEqual(["10", " 7 ", "-1", "20%", "1.5", "many", " "].map(limit), [
      10,
      7,
      -1,
      "20%",
      "1.5",
      "many",
      undefined,
    ]);
  });

  test("spaces alone are nothing", () => {
    assert.deepEqual([" shop ", "  ", ""].map(given), ["shop", undefined, undefined]);
  });

  test("names are parted by commas, spaces and lines", () => {
    assert.deepEqual(names(" oslo-1, oslo-2\n\noslo-3,,"), ["oslo-1", "oslo-2", "oslo-3"]);
    assert.deepEqual(names(" "), []);
  });

  test("a label's value may hold an equals sign, and may be missing", () => {
    assert.deepEqual(labels("tier=gold, query=a=b\nbare"), { tier: "gold", query: "a=b", bare: "" });
  });

  test("one label a line may hold spaces and commas, which another field would part it at", () => {
    assert.deepEqual(labelLines("  note=a, b c \n\nquery=a=b\nbare"), { note: "a, b c ", query: "a=b", bare: "" });
  });

  test("labels that are shown are read back as the same", () => {
    const shown = { note: "a, b  c", query: "x=y", empty: "" };
    assert.deepEqual(labelLines(pairs(shown).join("\n")), shown);
    assert.deepEqual(pairs(), []);
  });
});

const FORM = {
  name: " spring ",
  type: "update",
  app: "shop",
  version: "2.0",
  description: "",
  everywhere: false,
  group: ["lab"],
  sites: "oslo-1, oslo-2",
  labels: "tier=gold",
  "not-sites": "oslo-3",
  "not-groups": "",
  "not-labels": "",
  stages: [],
  max_parallel: "20%",
  apply_type: "parallel",
  step_timeout_seconds: "3600",
  timeout_seconds: "",
  catch_up_seconds: "",
  spread: "",
  force: false,
  stop: "first",
  threshold: "5%",
  min_sample: "9",
  heed_monitor: true,
  then: "pause",
};

describe("a strategy from its form", () => {
  test("what was left empty is left out, for the gateway's defaults", () => {
    const spec = sent(specOf({ ...FORM, version: " ", max_parallel: "" }));
    for (const name of ["description", "version", "spread", "max_parallel"]) assert.equal(name in spec, false, name);
    assert.deepEqual([spec.name, spec.step_timeout_seconds, spec.force], ["spring", 3600, false]);
  });

  test("an app is taken off whatever release the hidden list shows; its times go as they are", () => {
    const spec = sent(specOf({ ...FORM, type: "remove", timeout_seconds: "60", catch_up_seconds: "1w" }));
    assert.equal("version" in spec, false);
    assert.deepEqual([spec.timeout_seconds, spec.catch_up_seconds], [60, "1w"]);
  });

  test("what is left to the release goes out only where a person said otherwise", () => {
    const left = { publication: " ", recover: "", reset_overrides: "", reset_attributes: "", only_changes: false };
    const spec = sent(specOf({ ...FORM, ...left }));
    for (const name of Object.keys(left)) assert.equal(name in spec, false, name);
    const said = { publication: "p-1", recover: "never", reset_overrides: "false", reset_attributes: "true" };
    const { publication, recover, ...resets } = sent(specOf({ ...FORM, ...said, only_changes: true }));
    assert.deepEqual([publication, recover, resets.only_changes], ["p-1", "never", true]);
    assert.deepEqual([resets.reset_overrides, resets.reset_attributes], [false, true]);
  });

  test("sites are those that were chosen, without those that were taken out", () => {
    assert.deepEqual(specOf(FORM).selection, {
      groups: ["lab"],
      sites: ["oslo-1", "oslo-2"],
      labels: { tier: "gold" },
      exclude: { sites: ["oslo-3"], groups: [], labels: {} },
    });
  });

  test("of the whole fleet nothing is chosen, though the hidden fields are filled; what is taken out stays out", () => {
    assert.deepEqual(specOf({ ...FORM, everywhere: true }).selection, {
      all: true,
      exclude: { sites: ["oslo-3"], groups: [], labels: {} },
    });
  });

  test("a threshold counts only where it was chosen, not where its hidden field is filled", () => {
    const policy = { stop_on_failure: true, heed_monitor: true, then: "pause" };
    assert.deepEqual(sent(specOf(FORM).on_failure), policy);
    assert.deepEqual(sent(specOf({ ...FORM, stop: "never" }).on_failure), { ...policy, stop_on_failure: false });
    assert.deepEqual(sent(specOf({ ...FORM, stop: "threshold" }).on_failure), {
      ...policy,
      stop_on_failure: false,
      threshold: "5%",
      min_sample: 9,
    });
  });

  test("each stage keeps its place, and restricts nothing where nothing was entered", () => {
    const open = {
      name: "rest",
      take: "",
      groups: "",
      labels: " ",
      max_parallel: "",
      soak_seconds: "",
      optional: true,
    };
    const canary = {
      ...open,
      name: "canary",
      take: "1",
      groups: "lab, edge",
      labels: "tier=gold",
      soak_seconds: "60",
      optional: false,
    };
    assert.deepEqual(sent(specOf({ ...FORM, stages: [canary, open] }).stages), [
      { name: "canary", take: 1, groups: ["lab", "edge"], labels: { tier: "gold" }, soak_seconds: 60, optional: false },
      { name: "rest", optional: true },
    ]);
    assert.deepEqual(sent(stageOf({ ...open, take: "10%", max_parallel: "5" })), {
      name: "rest",
      take: "10%",
      max_parallel: 5,
      optional: true,
    });
  });
});

describe("the smaller forms", () => {
  test("what goes back or away has no release to reach, whatever was chosen before", () => {
    const form = { kind: "update", site: " oslo ", app: "shop", version: "2.0" };
    assert.deepEqual(operationOf(form), { kind: "update", site: "oslo", app: "shop", version: "2.0" });
    for (const kind of ["recover", "remove"]) assert.equal(operationOf({ ...form, kind }).version, undefined);
    assert.equal(operationOf({ ...form, kind: "rollback", version: "" }).version, undefined);
  });

  test("a webhook has a template only in its own format", () => {
    const form = {
      name: "chat",
      url: "https://chat",
      secret: "",
      topics: ["error"],
      format: "slack",
      template: "no JSON",
    };
    assert.deepEqual(sent(subscriptionOf(form)), {
      name: "chat",
      url: "https://chat",
      topics: ["error"],
      format: "slack",
    });
    const own = subscriptionOf({ ...form, format: "custom", template: '{"text": "{{ message }}"}' });
    assert.deepEqual(own.template, { text: "{{ message }}" });
  });

  test("an alarm goes with what was chosen, and not without a name", () => {
    const entered = { alarm: " disk-full ", severity: "major", affects: true, text: "" };
    const said = { severity: "major", management_affecting: true, text: "" };
    assert.deepEqual(alarmOf(entered), { name: "disk-full", ...said });
    assert.throws(() => alarmOf({ ...entered, alarm: " " }), { title: "The alarm has no name" });
  });

  test("a secret goes as it was typed, and not without a name", () => {
    assert.deepEqual(secretOf({ name: " oslo ", value: " a\nb\n" }), { name: "oslo", value: " a\nb\n" });
    assert.throws(
      () => secretOf({ name: " ", value: "correct horse" }),
      ({ faults: [fault, ...others], message }) =>
        fault.field === "name" && !others.length && !message.includes("horse"),
    );
  });

  test("a template that is no JSON is a fault of its field, as the gateway would tell it", () => {
    const form = { name: "chat", url: "", secret: "", topics: [], format: "custom", template: "{" };
    assert.throws(
      () => subscriptionOf(form),
      ({ faults: [fault, ...others] }) =>
        fault.field === "template" && fault.message.startsWith("is not JSON: ") && !others.length,
    );
  });
});
