import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inParts, metadataOf, nextWait, passes, rememberedAs, saidOf } from "../../../services/web/model/sending.js";

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

  it("is called as a person says where it does not say so itself, and what is left empty is not said", () => {
    const file = { name: "stx-ü.tgz", size: 5, lastModified: 7 };
    const said = saidOf({ app: " platform-integ-apps ", version: "1.0-9", sha256: "AB12" });
    const read = metadataOf(file, said)
      .split(",")
      .map((pair) => pair.split(" "))
      .map(([key, text]) => [key, Buffer.from(text, "base64").toString()]);
    assert.deepEqual(Object.fromEntries(read), {
      filename: "stx-ü.tgz",
      app: "platform-integ-apps",
      version: "1.0-9",
      sha256: "ab12",
    });
    assert.deepEqual(saidOf({ app: "", version: " ", sha256: "" }), {});
    assert.equal(metadataOf(file).includes(","), false);
  });

  it("is another upload under another name, so that it does not go on under the one before", () => {
    const file = { name: "a.tar.gz", size: 5, lastModified: 7 };
    assert.notEqual(rememberedAs(file, { app: "shop" }), rememberedAs(file, {}));
  });

  it("goes on after what passes, and after nothing else", () => {
    const passing = [{ status: 0 }, {}, { status: 503 }, { status: 409, code: "wrong_offset" }];
    for (const error of passing) assert.ok(passes(error, ["wrong_offset"]));
    assert.ok(!passes({ status: 422, code: "not_gzip" }, ["wrong_offset"]));
  });

  it("waits ever longer while nobody answers, also where it asks how far it is, and goes on there", async () => {
    const away = { status: 0 };
    const waited = [];
    const heard = { part: [1, away, 3], reached: [away, away, away, 2] };
    const next = (queue) => () => {
      const answer = queue.shift();
      return answer === away ? Promise.reject(away) : Promise.resolve(answer);
    };
    const steps = {
      part: next(heard.part),
      reached: next(heard.reached),
      ended: (offset) => Promise.resolve(offset === 3 ? "whole" : null),
      recovered: (error, failures) => Promise.resolve(waited.push([error, failures])),
    };
    assert.equal(await inParts(steps, 0), "whole");
    assert.deepEqual(waited, [
      [away, 0],
      [away, 1],
      [away, 2],
      [away, 3],
    ]);
  });

  it("begins its waits anew once it comes further, and ends with what no wait mends", async () => {
    const waited = [];
    let offset = 0;
    const steps = {
      part: () => Promise.reject({ status: 503 }),
      reached: () => Promise.resolve(++offset),
      ended: () => Promise.resolve(null),
      recovered: (error, failures) => (waited.push(failures) < 3 ? Promise.resolve() : Promise.reject(error)),
    };
    await assert.rejects(inParts(steps, 0), { status: 503 });
    assert.deepEqual(waited, [0, 0, 0]);
  });
});
