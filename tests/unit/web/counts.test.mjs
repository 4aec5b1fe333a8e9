import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { inWords, shareOf, sumOf, total } from "../../../services/web/model/counts.js";
import { pathOf } from "../../../services/web/model/icon_paths.js";
import { ENDED_STATES, LIVE_STATES, STEP_STATES, shapeOf } from "../../../services/web/model/states.js";

const NONE = { waiting: 0, running: 0, complete: 0, failed: 0, aborted: 0 };

describe("counts of sites", () => {
  test("every state counts, and one that an older gateway does not tell of counts as none", () => {
    assert.equal(total({ waiting: 1, running: 2, complete: 3, failed: 4, aborted: 5 }), 15);
    assert.equal(total({ complete: 3 }), 3);
    assert.equal(total(undefined), 0);
  });

  test("those of stages add up state by state", () => {
    const sum = sumOf([{ ...NONE, complete: 2, failed: 1 }, { ...NONE, complete: 3 }, {}]);
    assert.deepEqual(sum, { ...NONE, complete: 5, failed: 1 });
  });

  test("all is complete only when all of it is: 999 of 1,000 round to no 100 %", () => {
    assert.equal(shareOf({ ...NONE, complete: 9999, running: 1 }), "99.9%");
    assert.equal(shareOf({ ...NONE, complete: 10_000 }), "100%");
    assert.equal(shareOf(NONE), "");
  });

  test("in words nothing is said of states in which no site is, nor of those that wait", () => {
    assert.equal(inWords({ ...NONE, complete: 412, waiting: 588 }), "412 of 1,000 complete");
    assert.equal(
      inWords({ ...NONE, complete: 1, running: 2, failed: 3, aborted: 4 }),
      "1 of 10 complete, 2 running, 3 failed, 4 aborted",
    );
  });
});

describe("shapes of states", () => {
  test("words that mean the same to a person have the same shape", () => {
    for (const state of ["succeeded", "operational", "available", "delivered"])
      assert.equal(shapeOf(state), "complete");
    for (const state of ["rejected", "dead", "update_error"]) assert.equal(shapeOf(state), "failed");
  });

  test("a word that is not known yet is its own shape, whatever it is called", () => {
    assert.deepEqual(["hibernating", "constructor", "toString"].map(shapeOf), [
      "hibernating",
      "constructor",
      "toString",
    ]);
  });

  test("each state of a step and of a strategy has an icon of its own", () => {
    const waiting = pathOf("waiting");
    for (const state of [...STEP_STATES, ...LIVE_STATES, ...ENDED_STATES].filter((one) => one !== "waiting")) {
      assert.notEqual(pathOf(shapeOf(state)), waiting, state);
    }
    assert.equal(new Set(STEP_STATES.map(pathOf)).size, STEP_STATES.length);
  });

  test("a shape that is not known is drawn as waiting", () => {
    assert.equal(pathOf("hibernating"), pathOf("waiting"));
    assert.equal(pathOf("constructor"), pathOf("waiting"));
  });
});
