import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { compile, partsOf, query } from "../../../services/web/model/address.js";
import { headline, Problem, parsed, placeOf } from "../../../services/web/model/problem.js";
import { lacks, reaches } from "../../../services/web/model/roles.js";

describe("addresses", () => {
  test("a pattern gives the parameters of a path that fits, as they were before they were coded", () => {
    const match = compile("/releases/:app/:version");
    assert.deepEqual(match("/releases/shop/2.0%2Bbuild"), { app: "shop", version: "2.0+build" });
  });

  test("a path that is longer, shorter or another does not fit", () => {
    const match = compile("/sites/:name");
    for (const path of ["/sites", "/sites/", "/sites/a/b", "/x/sites/a", "/site/a"])
      assert.equal(match(path), null, path);
    assert.deepEqual(compile("/sites")("/sites"), {});
  });

  test("what somebody typed that no code stands for is taken as it is, and breaks nothing", () => {
    assert.deepEqual(compile("/sites/:name")("/sites/100%"), { name: "100%" });
  });

  test("what stands behind the path are the filters; nothing at all is the first view", () => {
    const { path, query: given } = partsOf("#/sites?group=lab&q=a%20b");
    assert.deepEqual([path, given.get("group"), given.get("q")], ["/sites", "lab", "a b"]);
    assert.equal(partsOf("").path, "/");
    assert.equal(partsOf("#/sites").query.size, 0);
  });

  test("parameters that are empty are not asked for; zero and false are", () => {
    assert.equal(query({ a: "", b: null, c: undefined }), "");
    assert.equal(query({ a: 0, b: false, c: "x y" }), "?a=0&b=false&c=x+y");
  });
});

describe("problems", () => {
  test("one holds all that the gateway told of it", () => {
    const problem = new Problem(422, {
      title: "Refused",
      detail: "2 faults",
      code: "invalid",
      faults: [{}, {}],
      faults_count: 250,
    });
    assert.deepEqual(
      [problem.message, problem.title, problem.code, problem.count],
      ["2 faults", "Refused", "invalid", 250],
    );
  });

  test("what came from something else than the gateway is a problem too", () => {
    const problem = new Problem(502, {});
    assert.deepEqual([problem.message, problem.code, problem.faults, problem.count], ["HTTP 502", "http_error", [], 0]);
    assert.equal(parsed("<html>Bad gateway</html>"), null);
    assert.deepEqual(parsed('{"a": 1}'), { a: 1 });
  });

  test("a form says how much must be put right, also where not all of it is listed", () => {
    assert.equal(headline({ faults: [{}, {}], count: 250 }), "250 things must be put right");
    assert.equal(headline({ faults: [{}], count: 1 }), "One thing must be put right");
    assert.equal(headline({ faults: [], count: 0, title: "Refused" }), "Refused");
  });
});

describe("the field that a fault is about", () => {
  const PATHS = ["selection", "selection.groups", "stages", "stages.1.name", "version"];
  const place = (field, message = "") => placeOf({ field, message }, PATHS);

  test("it is the nearest one around the place of the fault", () => {
    assert.equal(place("selection.groups"), "selection.groups");
    assert.equal(place("selection.groups.0"), "selection.groups");
    assert.equal(place("selection.labels.tier"), "selection");
    assert.equal(place("stages.1.name"), "stages.1.name");
  });

  test("a name that only begins alike is another field", () => {
    assert.equal(place("versions"), undefined);
    assert.equal(place("stages.10.name"), "stages");
  });

  test("the spec itself is no field, what lies in it is", () => {
    assert.equal(place("spec.version"), "version");
    assert.equal(place("spec", "version: is not there"), "version");
    assert.equal(place("spec", "stages.1.name: is not there"), "stages.1.name");
  });

  test("a fault that names no field of the form has no place", () => {
    assert.equal(place(""), undefined);
    assert.equal(place("", "Nothing: can be done"), undefined);
  });
});

describe("roles", () => {
  test("each may do what those before it may, and no more", () => {
    const roles = ["viewer", "operator", "approver", "admin"];
    for (const [i, role] of roles.entries()) {
      for (const [j, needed] of roles.entries()) assert.equal(reaches(role, needed), i >= j, `${role} as ${needed}`);
    }
  });

  test("who may not is told which role it takes", () => {
    assert.equal(lacks("viewer", "operator"), "This needs the role operator; you are viewer.");
    assert.equal(lacks("admin", "operator"), "");
  });

  test("a role that is not known may do nothing", () => {
    assert.equal(reaches("guest", "viewer"), false);
    assert.equal(reaches("", "viewer"), false);
  });
});
