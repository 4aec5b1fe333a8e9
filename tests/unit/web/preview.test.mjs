import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { firstOf, noticesOf, valuesOf, whenItFails } from "../../../services/web/model/preview.js";

const PLAN = [
  {
    component: "web",
    action: "apply",
    values: [
      { path: "image.tag", before: '"1"', after: '"2"' },
      { path: "port", before: null, after: "80" },
    ],
    notices: ["`old` is set, and the release does not know it any more: it is left out"],
  },
  { component: "db", action: "keep" },
];

describe("what is planned for one site", () => {
  test("each value that changes is told before and after; a component that keeps its own has no row", () => {
    assert.deepEqual(valuesOf(PLAN), [
      { component: "web", what: "image.tag", before: '"1"', after: '"2"' },
      { component: "web", what: "port", before: "-", after: "80" },
    ]);
    assert.deepEqual(valuesOf([]), []);
  });

  test("what is to be known is told of the whole and of each component", () => {
    assert.deepEqual(noticesOf(PLAN, ["the site says nothing of its Kubernetes"]), [
      "the site says nothing of its Kubernetes",
      `web: ${PLAN[0].notices[0]}`,
    ]);
    assert.deepEqual(noticesOf([{ component: "db" }]), []);
  });

  test("apps that are changed before are told in their order; an older deployer names none", () => {
    const first = [
      { app: "certs", version: "1.4" },
      { app: "ingress", version: "3.0" },
    ];
    assert.deepEqual(firstOf({ first }), ["certs to 1.4", "ingress to 3.0"]);
    assert.deepEqual(firstOf({}), []);
  });

  test("from where on nothing leads back is said of every kind", () => {
    assert.match(whenItFails({ point_of_no_return: "deploy" }, "update"), /From deploy on it is not turned back/);
    assert.match(whenItFails({ point_of_no_return: null }, "update"), /it is turned back/);
    assert.match(whenItFails({ point_of_no_return: null }, "prestage"), /stays as it is/);
  });
});
