import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { concernsDeployment } from "../../../services/web/model/concerns.js";
import { storyOf } from "../../../services/web/model/story.js";

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

  test("hears of itself alone", () => {
    assert.equal(concernsDeployment({ data: { site: "oslo", app: "shop" } }, "oslo", "shop"), true);
    assert.equal(concernsDeployment({ data: { site: "oslo", app: "cart" } }, "oslo", "shop"), false);
    assert.equal(concernsDeployment({ data: { site: "rome", app: "shop" } }, "oslo", "shop"), false);
    assert.equal(concernsDeployment({ data: { deployments: [{ site: "oslo", app: "cart" }] } }, "oslo", "shop"), false);
  });
});
