import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { concernsDeployment } from "../../../services/web/model/concerns.js";
import { storyOf, toneOf } from "../../../services/web/model/story.js";
import { publicationOf, publicationSaid, waitsFor, waitsForPublication } from "../../../services/web/model/waiting.js";

const failed = {
  kind: "update",
  state: "failed",
  from_version: "1.0",
  to_version: "2.0",
  version: "1.0",
  recovered: true,
  cause: { code: "exited", message: "web: its process exited." },
};

describe("a deployment", () => {
  test("tells in a sentence what happened to it, and what happens now", () => {
    assert.equal(
      storyOf({ version: "1.0", last: failed, running: null }),
      "The last operation, update from 1.0 to 2.0, failed. web: its process exited. The site is back on 1.0.",
    );
    const running = { kind: "remove", state: "running", phase: "remove", from_version: "1.0", to_version: null };
    assert.match(storyOf({ version: "1.0", last: null, running }), /^Release 1.0 runs. Now: remove of 1.0, remove.$/);
  });

  test("waits for its release as long as that is being published, and says how far it is", () => {
    const running = { kind: "update", state: "running", phase: "upload", publication: "p-1", to_version: null };
    assert.match(storyOf({ version: "1.0", running }), /Now: update waits for its release, which is still being pub/);
    assert.equal(waitsForPublication({ ...running, state: "queued", phase: null }), true);
    for (const other of [{ phase: "deploy" }, { publication: null }, { state: "failed" }, { to_version: "2.0" }])
      assert.equal(waitsForPublication({ ...running, ...other }), false);
    assert.match(waitsFor({ state: "under_way" }), /still being published/);
    assert.match(
      `${waitsFor(null)} ${publicationSaid(null, "operation")}`,
      /nobody has begun to publish.*ends when its time is up.$/,
    );
    const fetched = { state: "under_way", phase: "fetch", done_bytes: 2e6, total_bytes: 8e6 };
    assert.equal(publicationSaid(fetched), "It is being fetched, 2 MB of 8 MB.");
    assert.equal(publicationSaid({ ...fetched, total_bytes: null }), "It is being fetched, 2 MB so far.");
    const step = { step: "charts", step_done: 3, step_total: 9 };
    assert.equal(publicationSaid({ ...fetched, phase: "validate", ...step }), "It is being checked: charts, 3 of 9.");
    const waits = { code: "away", message: "the source does not answer." };
    assert.equal(publicationSaid({ ...fetched, waits }), "It cannot go on for now: the source does not answer.");
    assert.match(publicationSaid(null, "strategy"), /until it is aborted/);
    assert.equal(publicationOf({ state: "waiting", spec: { publication: "p-1" } }), "p-1");
    for (const facts of [{ state: "ready", spec: { publication: "p-1" } }, { state: "waiting" }])
      assert.equal(publicationOf(facts), null);
    assert.equal(publicationSaid({ state: "rejected" }), "It is rejected.");
    assert.equal(publicationSaid({ state: "under_way" }), "Nothing has been fetched yet.");
  });

  test("says what is not as it was left, what is set otherwise, and what began by itself", () => {
    const drift = [{ components: [{ component: "web", message: "is gone" }], then: "given_up" }];
    const last = { kind: "apply", state: "succeeded", to_version: "1.0" };
    assert.equal(
      storyOf({ version: "1.0", last, overrides_changed: true }, drift),
      "It is not as it was left: web: is gone. Putting it right was given up. The last operation, apply to 1.0, " +
        "succeeded. Something else is set for it now than when it was deployed: a reapply carries it out.",
    );
    const secrets_changed = [{ name: "token", deployed: 1, now: 3 }];
    assert.match(
      storyOf({ version: "1.0", last, secrets_changed }),
      /succeeded. Secret token was set again: version 1 is deployed, and version 3 is there. A reapply carries it out.$/,
    );
    assert.equal(toneOf({ last, secrets_changed }), "mild");
    const because = { code: "drift", message: "web was gone" };
    assert.match(
      storyOf({ version: "1.0", last: { ...last, because } }),
      /succeeded. It began by itself: web was gone\.$/,
    );
  });

  test("is red where a person is needed, mild where it runs but somebody should look, green where all is well", () => {
    const well = { kind: "apply", state: "succeeded" };
    assert.equal(toneOf({ last: well }), "good");
    assert.equal(toneOf({ last: null }), "good");
    assert.equal(toneOf({ last: failed }), "mild");
    assert.equal(toneOf({ last: { ...failed, recovered: false } }), "bad");
    assert.equal(toneOf({ last: well, overrides_changed: true }), "mild");
    assert.equal(toneOf({ last: well }, [{}]), "mild");
    assert.equal(toneOf({ last: well, running: {} }), "busy");
  });

  test("hears of itself alone", () => {
    assert.equal(concernsDeployment({ data: { site: "oslo", app: "shop" } }, "oslo", "shop"), true);
    assert.equal(concernsDeployment({ data: { site: "oslo", app: "cart" } }, "oslo", "shop"), false);
    assert.equal(concernsDeployment({ data: { site: "rome", app: "shop" } }, "oslo", "shop"), false);
    assert.equal(concernsDeployment({ data: { deployments: [{ site: "oslo", app: "cart" }] } }, "oslo", "shop"), false);
  });
});
