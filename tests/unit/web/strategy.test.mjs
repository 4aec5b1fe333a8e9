import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { needless, reasonsOff, runOf, stepVerb } from "../../../services/web/model/actions.js";
import { aftermath } from "../../../services/web/model/aftermath.js";
import { foreseen } from "../../../services/web/model/forecast.js";
import { aim, extent, limits, policy, selected } from "../../../services/web/model/plan_words.js";
import { Roll } from "../../../services/web/model/roll.js";
import { MOVES, partsOf } from "../../../services/web/model/strategy_list.js";

const NONE = { waiting: 0, running: 0, complete: 0, failed: 0, aborted: 0 };
const NOW = Date.parse("2026-05-04T12:00:00Z");
const inSeconds = (count) => new Date(NOW + count * 1000).toISOString();

describe("what is foreseen of a strategy", () => {
  const ahead = { failure_rate: 0.02, eta_low: inSeconds(240), eta_high: inSeconds(540), overdue: false };
  const roll = (forecast, more = {}) => ({
    facts: { state: "applying", ...more },
    current: { name: "rest", counts: { ...NONE, running: 2 }, forecast },
  });

  test("of the stage that runs: how much fails of late, and when it ends", () => {
    assert.deepEqual(foreseen(roll(ahead), NOW), [
      ["Recent failures", "2%", ""],
      ["Stage rest ends in", "4 – 9 min (by 12:09 PM)", ""],
    ]);
  });

  test("from one failure in twenty on the rate is shown as a warning", () => {
    const kind = (rate) => foreseen(roll({ ...ahead, failure_rate: rate }), NOW)[0][2];
    assert.deepEqual([kind(0.049), kind(0.05)], ["", "bad"]);
  });

  test("an end that is past is told as overdue while sites still run", () => {
    const past = { ...ahead, eta_low: inSeconds(-60), eta_high: inSeconds(0) };
    assert.deepEqual(foreseen(roll(past), NOW)[1], ["Stage rest", "overdue, waits for 2 sites", "bad"]);
    const said = { ...ahead, eta_low: null, eta_high: null, overdue: true };
    assert.deepEqual(foreseen(roll(said), NOW)[1], ["Stage rest", "overdue, waits for 2 sites", "bad"]);
  });

  test("one for which no site runs any more says no end, and one without an end says none", () => {
    const still = roll({ ...ahead, overdue: true });
    still.current.counts = NONE;
    assert.equal(foreseen(still, NOW).length, 1);
    assert.equal(foreseen(roll({ ...ahead, eta_low: null, eta_high: null }), NOW).length, 1);
    assert.equal(foreseen(roll({ ...ahead, eta_low: null }), NOW).length, 1);
  });

  test("nothing is foreseen of a paused strategy, nor where the monitor said nothing, nor between stages", () => {
    assert.deepEqual(foreseen(roll(ahead, { state: "paused" }), NOW), []);
    assert.deepEqual(foreseen(roll(null), NOW), []);
    assert.deepEqual(foreseen({ facts: { state: "applying" }, current: undefined }, NOW), []);
  });
});

describe("what can be done", () => {
  test("the main button goes on, or stops what goes on", () => {
    const verbs = [[], ["apply", "delete"], ["abort", "pause"], ["abort", "resume"]].map((may) => runOf(may)?.[0]);
    assert.deepEqual(verbs, [undefined, "apply", "pause", "resume"]);
  });

  test("a button is there when the API offers what it does, whatever the state is called", () => {
    const shown = (...may) =>
      Object.entries(needless(may))
        .filter(([, hidden]) => !hidden)
        .map(([name]) => name);
    assert.deepEqual(shown(), []);
    assert.deepEqual(shown("undo", "delete"), ["undo"]);
    assert.deepEqual(shown("cancel_running"), ["cancel"]);
    assert.deepEqual(shown("retry"), ["retry", "reason"]);
    assert.deepEqual(shown("pause", "abort", "cancel_running"), ["run", "cancel", "reason"]);
  });

  test("a single site is skipped while it waits, and tried again once it has failed or was aborted", () => {
    const states = ["waiting", "running", "complete", "failed", "aborted"];
    const verbs = states.map((state) => stepVerb(["skip", "retry"], state));
    assert.deepEqual(verbs, ["skip", undefined, undefined, "retry", "retry"]);
    assert.equal(stepVerb(["pause"], "waiting"), undefined);
  });

  test("abort and delete always stand, and say why they are off", () => {
    assert.deepEqual(reasonsOff(["abort", "delete"], "ready", ""), { abort: "", remove: "" });
    assert.match(reasonsOff(["delete"], "complete", "").abort, /It is complete/);
    assert.match(reasonsOff(["abort"], "applying", "").remove, /abort it first/);
  });

  test("a person who may not is told so at these", () => {
    assert.deepEqual(reasonsOff([], "applying", "viewer"), { abort: "viewer", remove: "viewer" });
  });

  test("a word of tomorrow among the actions changes no button", () => {
    assert.deepEqual(needless(["rehearse"]), needless([]));
  });
});

describe("what it was told to do", () => {
  test("its aim is one release, or what each site had before", () => {
    const spec = { type: "update", app: "shop", version: "2.0" };
    assert.equal(aim({ spec }), "Update shop to 2.0");
    const back = { ...spec, type: "rollback", version: null, undo: "s-1" };
    const targets = [
      { version: "1.0", sites: 4 },
      { version: "1.1", sites: 1 },
    ];
    assert.equal(aim({ spec: back, targets }), "Undo shop to 1.0 (4 sites), 1.1 (1 site)");
    assert.equal(aim({ spec: { ...back, undo: null } }), "Rollback shop");
  });

  test("its extent tells what was left out, and only then of how many", () => {
    assert.equal(extent(1000, 3, 0), "1,000 sites in 3 stages");
    assert.equal(extent(998, 1, 2), "998 of 1,000 sites in 1 stage, 2 left out");
    assert.equal(extent(1, 1, undefined), "1 site in 1 stage");
  });

  test("its selection is told as it works: all must hold, any may keep a site out", () => {
    assert.equal(selected({ all: true }), "the whole fleet");
    assert.equal(
      selected({
        groups: ["lab"],
        labels: { tier: "gold" },
        sites: ["a", "b"],
        exclude: { groups: ["x"], sites: ["y"] },
      }),
      "groups lab and labels tier=gold and 2 named sites without groups x, 1 named site",
    );
    assert.equal(selected({ all: true, groups: ["lab"] }), "groups lab");
    assert.equal(selected({}), "");
  });

  test("its failures are told by what stops it", () => {
    assert.equal(policy({}), "the first failed site: end the strategy");
    const bears = { stop_on_failure: false };
    assert.equal(
      policy({ ...bears, then: "pause" }),
      "only a stage in which every site failed: pause and wait for a person",
    );
    assert.equal(policy({ ...bears, threshold: 3 }), "3 failed sites of a stage: end the strategy");
    assert.equal(
      policy({ ...bears, threshold: "5%", min_sample: 2, heed_monitor: true }),
      "more than 5% of a stage's sites failed, once 2 have finished: end the strategy; pauses when the monitor finds the failure rate high",
    );
  });

  test("a stage that does not soak says nothing of it", () => {
    assert.equal(limits({ max_parallel: 1000, soak_seconds: 0 }), "at most 1,000 at once");
    assert.equal(limits({ max_parallel: 1, soak_seconds: 1 }), "at most 1 at once, soaks 1 s");
  });
});

describe("the list of strategies", () => {
  const of = (...states) => states.map((state) => ({ state }));

  test("what is under way comes first, what ended last; a part without any is left out", () => {
    const parts = partsOf(of("complete", "applying", "failed", "ready", "aborting"));
    assert.deepEqual(
      parts.map(({ title, items }) => [title, items.map(({ state }) => state)]),
      [
        ["Under way", ["applying", "aborting"]],
        ["Ready to apply", ["ready"]],
        ["Ended", ["complete", "failed"]],
      ],
    );
    assert.deepEqual(
      partsOf(of("ready")).map(({ title }) => title),
      ["Ready to apply"],
    );
    assert.deepEqual(partsOf([]), []);
    assert.equal(partsOf(of("of a newer Belay"))[0].title, "Under way"); // rather than nowhere
  });

  test("an event moves the stage that it is about, and leaves the others", () => {
    const strategy = {
      state: "applying",
      stages: [
        { position: 1, state: "running" },
        { position: 2, state: "waiting" },
      ],
    };
    MOVES.stage_progressed(strategy, { stage: 1, state: "complete", counts: { complete: 3 } });
    MOVES.stage_progressed(strategy, { stage: 9, state: "failed", counts: {} });
    assert.deepEqual(
      strategy.stages.map(({ state }) => state),
      ["complete", "waiting"],
    );
    assert.deepEqual(strategy.stages[0].counts, { complete: 3 });
    MOVES.strategy_state_changed(strategy, { state: "complete", why: { message: "done" } });
    assert.deepEqual([strategy.state, strategy.why.message], ["complete", "done"]);
  });
});

describe("after failures", () => {
  const counts = (given) => ({ complete: 0, running: 0, waiting: 0, failed: 0, aborted: 0, ...given });
  const rollOf = (facts, given, ...sites) => {
    const stages = [{ position: 1, counts: counts(given) }];
    const roll = new Roll({ strategy_id: "s", actions: [], spec: {}, stages, ...facts });
    const why = { message: "web: no answer; back on 1.0" };
    roll.put(sites.map((site) => ({ site, stage: 1, state: "failed", why, updated_at: "2026-05-04T12:00:00Z" })));
    return roll;
  };

  test("where no site failed there is nothing to tell", () => {
    assert.equal(aftermath(rollOf({ state: "complete" }, { complete: 3 })), null);
  });

  test("what happened, what is safe and what to do next are told in sentences", () => {
    const facts = { state: "failed", actions: ["retry", "undo", "delete"] };
    const told = aftermath(rollOf(facts, { complete: 1200, failed: 5, aborted: 30 }, "a", "b", "c", "d"));
    assert.equal(told.happened, "5 sites failed");
    assert.deepEqual([told.sites.map(({ site }) => site), told.more], [["a", "b", "c"], 2]);
    assert.equal(told.cause, "web: no answer; back on 1.0.");
    assert.equal(told.safe, "Of the others: 1,200 are done and stay as they are, 30 were left as they were.");
    assert.match(told.next, /^Look first .* Retry failed tries these sites again. Undo plans the way back /);
  });

  test("while it goes on by itself it says what would stop it, and while it ends that nothing is begun", () => {
    const bears = { state: "applying", spec: { on_failure: { stop_on_failure: false, threshold: "5%" } } };
    assert.match(
      aftermath(rollOf(bears, { failed: 1, running: 2 }, "a")).next,
      /by itself. What stops it: more than 5%/,
    );
    assert.match(aftermath(rollOf({ state: "aborting" }, { failed: 1, running: 1 }, "a")).next, /once 1 site at work/);
    assert.equal(aftermath(rollOf({ state: "failed" }, { failed: 1 }, "a")).safe, "It had no other sites.");
  });

  test("of a strategy that failed though no site did, those are told that could not have the release", () => {
    const roll = rollOf({ state: "failed", actions: ["retry"] }, { complete: 2, aborted: 1 });
    const why = { code: "dependency_missing", message: "needs base on the site" };
    roll.put([{ site: "a", stage: 1, state: "aborted", why, updated_at: "2026-05-04T12:00:00Z" }]);
    const told = aftermath(roll);
    assert.equal(told.happened, "1 site could not have it; nothing was changed there");
    assert.deepEqual([told.sites.map(({ site }) => site), told.cause], [["a"], "needs base on the site."]);
    assert.equal(told.safe, "Of the others: 2 are done and stay as they are.");
    assert.equal(aftermath(rollOf({ state: "aborted" }, { aborted: 1 })), null);
  });

  test("what was counted but is not read yet has no names", () => {
    const told = aftermath(rollOf({ state: "paused", actions: ["resume"] }, { failed: 2 }));
    assert.deepEqual([told.sites, told.more, told.cause], [[], 2, ""]);
  });
});
