import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Roll, timesAfter } from "../../../services/web/model/roll.js";

const NONE = { waiting: 0, running: 0, complete: 0, failed: 0, aborted: 0 };
const BEFORE = "2026-05-04T11:59:59Z";
const AT = "2026-05-04T12:00:00Z";
const AFTER = "2026-05-04T12:00:01Z";

const canary = () => ({
  position: 1,
  name: "canary",
  state: "running",
  counts: { ...NONE, running: 1, complete: 2 },
  why: null,
});
const rest = () => ({
  position: 2,
  name: "rest",
  state: "waiting",
  counts: { ...NONE, waiting: 7 },
  why: { code: "earlier_stage", message: "stage canary comes first" },
});
const roll = (facts = {}) =>
  new Roll({ strategy_id: "s-1", state: "applying", why: null, stages: [canary(), rest()], ...facts });
const step = (site, state, more = {}) => ({ site, stage: 1, state, ...more });

describe("steps moved by events", () => {
  test("what is new takes the next place of its stage", () => {
    const one = roll();
    one.put([step("a", "waiting"), step("b", "waiting"), { ...step("c", "waiting"), stage: 2 }], AT);
    assert.deepEqual(
      one.cells.get(1).map(({ site, index }) => [site, index]),
      [
        ["a", 0],
        ["b", 1],
      ],
    );
    assert.equal(one.steps.get("c").index, 0);
  });

  test("only those that really changed are told of: an event that comes twice moves nothing", () => {
    const one = roll();
    one.put([step("a", "waiting"), step("b", "waiting")], AT);
    assert.deepEqual(
      one.put([step("a", "running"), step("b", "waiting")], AFTER).map(({ site }) => site),
      ["a"],
    );
    assert.deepEqual(one.put([step("a", "running")], AFTER), []);
  });

  test("an event that is older than what was read changes nothing", () => {
    const one = roll();
    one.put([step("a", "complete", { updated_at: AT })]);
    assert.deepEqual(one.put([step("a", "running")], BEFORE), []);
    assert.equal(one.steps.get("a").state, "complete");
  });

  test("of two events of the same instant the later one counts", () => {
    const one = roll();
    one.put([step("a", "running")], AT);
    one.put([step("a", "complete")], AT);
    assert.equal(one.steps.get("a").state, "complete");
  });

  test("another attempt is a move, though the state is the same", () => {
    const one = roll();
    one.put([step("a", "running", { attempt: 1 })], AT);
    assert.equal(one.put([step("a", "running", { attempt: 2 })], AFTER).length, 1);
  });

  test("a reason that an event no longer gives is over", () => {
    const one = roll();
    one.put([step("a", "waiting", { why: { code: "site_busy", message: "busy" } })], AT);
    one.put([step("a", "running")], AFTER);
    assert.equal(one.why(one.steps.get("a")), null);
  });

  test("steps stay where they are when the strategy is read again", () => {
    const one = roll();
    one.put([step("a", "waiting"), step("b", "waiting")], AT);
    one.take({ strategy_id: "s-1", state: "paused", stages: [canary(), rest()] });
    one.put([step("b", "running")], AFTER);
    assert.deepEqual(
      one.cells.get(1).map(({ site, state }) => [site, state]),
      [
        ["a", "waiting"],
        ["b", "running"],
      ],
    );
  });
});

describe("stages moved by events", () => {
  test("the strategy counts what its stages count", () => {
    const one = roll();
    assert.equal(one.sites, 10);
    one.moveStage({ stage: 2, state: "running", counts: { ...NONE, complete: 7 }, max_parallel: 2 });
    assert.deepEqual(one.counts, { ...NONE, running: 1, complete: 9 });
  });

  test("only a new state is worth telling, and a stage that is not known is passed by", () => {
    const one = roll();
    const moved = { stage: 1, state: "running", counts: { ...NONE, complete: 3 }, max_parallel: 2 };
    assert.equal(one.moveStage(moved), false);
    assert.equal(one.moveStage({ ...moved, state: "complete" }), true);
    assert.equal(one.moveStage({ ...moved, stage: 9 }), false);
  });

  test("a warning that is no longer given is taken back", () => {
    const one = roll();
    const moved = { stage: 1, state: "running", counts: NONE, max_parallel: 2 };
    one.moveStage({ ...moved, warning: { message: "silent" } });
    one.moveStage(moved);
    assert.equal(one.stage(1).warning, null);
  });

  test("a forecast is kept with its stage, and one of an unknown stage is passed by", () => {
    const one = roll();
    one.forecast({ stage: 1, failure_rate: 0.5 });
    one.forecast({ stage: 9, failure_rate: 1 });
    assert.deepEqual(one.current.forecast, { failure_rate: 0.5, eta_low: null, eta_high: null, overdue: false });
  });

  test("the stage that soaks is the one that the strategy is at", () => {
    const one = roll({ stages: [{ ...canary(), state: "soaking" }, rest()] });
    assert.equal(one.current.name, "canary");
  });
});

describe("why something waits", () => {
  test("a step without a reason of its own waits for that of its stage; one that ended does not", () => {
    const one = roll();
    one.put(
      [
        { ...step("a", "waiting"), stage: 2 },
        { ...step("b", "complete"), stage: 2 },
      ],
      AT,
    );
    assert.equal(one.why(one.steps.get("a")).code, "earlier_stage");
    assert.equal(one.why(one.steps.get("b")), null);
  });

  test("the reason of a stage is told as it was given, whatever else is known here", () => {
    const why = { code: "gate of tomorrow", message: "it is night" };
    const one = roll({
      state: "paused",
      why: { code: "paused", message: "paused" },
      stages: [canary(), { ...rest(), why }],
    });
    one.put([{ ...step("a", "waiting"), stage: 2 }], AT);
    assert.equal(one.why(one.steps.get("a")), why);
    one.moveStage({ stage: 1, state: "running", counts: { ...NONE, complete: 2, failed: 1 }, max_parallel: 2 });
    assert.equal(one.why(one.steps.get("a")), why);
  });
});

describe("finding sites", () => {
  test("a name that begins with the text comes before one that holds it", () => {
    const one = roll();
    one.put([step("new-york-1", "waiting"), step("york-2", "waiting")], AT);
    assert.equal(one.find("york").site, "york-2");
    assert.equal(one.find("ork-1").site, "new-york-1");
    assert.equal(one.find("rome"), undefined);
  });

  test("state and text must both fit; an open one lets all pass", () => {
    const one = roll();
    one.put([step("oslo-1", "failed"), step("oslo-2", "complete"), step("rome-1", "failed")], AT);
    const sites = (filter) => one.matching(filter).map(({ site }) => site);
    assert.deepEqual(sites({ state: "failed", text: "oslo" }), ["oslo-1"]);
    assert.deepEqual(sites({ state: null, text: "oslo" }), ["oslo-1", "oslo-2"]);
    assert.equal(sites({ state: null, text: "" }).length, 3);
  });
});

test("a strategy that starts and ends under our eyes has the times of that", () => {
  const ready = { state: "ready", started_at: null, finished_at: null };
  assert.deepEqual(timesAfter(ready, "applying", AT), { started_at: AT, finished_at: null });
  const applying = { state: "applying", started_at: BEFORE, finished_at: null };
  assert.deepEqual(timesAfter(applying, "complete", AT), { finished_at: AT });
  assert.deepEqual(timesAfter(applying, "applying", AT), {});
  const failed = { state: "failed", started_at: BEFORE, finished_at: AT };
  assert.deepEqual(timesAfter(failed, "applying", AFTER), { started_at: BEFORE, finished_at: null }); // tried again
});
