import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nextWait, passes, rememberedAs } from "../../../services/web/model/sending.js";

describe("a file sent in parts", () => {
  it("is tried again ever later, and not for ever", () => {
    const waits = [0, 1, 2, 3, 4, 5].map(nextWait);
    assert.equal(waits.at(-1), null);
    assert.deepEqual(
      waits.slice(0, -1),
      [...waits.slice(0, -1)].sort((a, b) => a - b),
    );
  });

  it("is known again by what a changed file has not", () => {
    const file = { name: "a.tar.gz", size: 5, lastModified: 7 };
    assert.equal(rememberedAs(file), rememberedAs({ ...file }));
    assert.notEqual(rememberedAs(file), rememberedAs({ ...file, lastModified: 8 }));
  });

  it("goes on after what passes, and after nothing else", () => {
    const passing = [{ status: 0 }, {}, { status: 503 }, { status: 409, code: "wrong_offset" }];
    for (const error of passing) assert.ok(passes(error, ["wrong_offset"]));
    assert.ok(!passes({ status: 422, code: "not_gzip" }, ["wrong_offset"]));
  });
});
