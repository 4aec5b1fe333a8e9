import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { deed, local } from "../../../services/web/model/audit.js";
import { failedPhases, recovery, tookSeconds } from "../../../services/web/model/evidence.js";
import { cellSize, Grid } from "../../../services/web/model/grid.js";
import { Entries, shapeOfEntry } from "../../../services/web/model/timeline.js";
import { batches, lacking, troublesOf } from "../../../services/web/model/troubles.js";

describe("the timeline", () => {
  const page = (from, count, next = null) => ({
    items: Array.from({ length: count }, (_, i) => ({ message: `${from + i}` })),
    next,
  });
  const messages = (entries, all) => entries.shown(all).map(({ message }) => message);

  test("the newest comes first, over all pages", () => {
    const entries = new Entries();
    assert.equal(entries.take(page(0, 2, "c-1")), true);
    assert.equal(entries.take(page(2, 1)), false);
    assert.deepEqual(messages(entries), ["2", "1", "0"]);
  });

  test("a full page is read once; the last one is read again, and nothing of it is told twice", () => {
    const entries = new Entries();
    entries.take(page(0, 2, "c-1"));
    assert.equal(entries.cursor, "c-1");
    entries.take(page(2, 1));
    assert.equal(entries.cursor, "c-1");
    entries.take(page(2, 2));
    assert.deepEqual(messages(entries), ["3", "2", "1", "0"]);
    entries.take(page(2, 3, "c-2"));
    entries.take(page(5, 0));
    assert.deepEqual(messages(entries), ["4", "3", "2", "1", "0"]);
    assert.equal(entries.cursor, "c-2");
  });

  test("an entry keeps its number when more come", () => {
    const entries = new Entries();
    entries.take(page(0, 1));
    const [before] = entries.shown();
    entries.take(page(0, 3));
    assert.equal(entries.shown().find(({ message }) => message === "0").number, before.number);
  });

  test("only the latest are shown until all are asked for, and it is known how many are hidden", () => {
    const entries = new Entries();
    entries.take(page(0, 75));
    assert.deepEqual([entries.shown().length, entries.hidden, entries.shown(true).length], [60, 15, 75]);
    assert.equal(entries.shown()[0].message, "74");
    assert.equal(new Entries().hidden, 0);
  });

  test("an entry has the shape of what it tells of", () => {
    assert.equal(shapeOfEntry({ kind: "strategy", code: "x", message: "applying: started by ada" }), "running");
    assert.equal(shapeOfEntry({ kind: "stage", code: "soaking", message: "stage canary soaks" }), "soaking");
    assert.equal(shapeOfEntry({ kind: "site", code: "exited", message: "oslo failed" }), "failed");
    assert.equal(shapeOfEntry({ kind: "advice", code: "failing", message: "20 % fail" }), "warning");
  });
});

describe("the cells of the board", () => {
  test("few sites have room for their names, many get smaller and never vanish", () => {
    assert.deepEqual([cellSize(60, 500).named, cellSize(61, 500).named], [true, false]);
    assert.equal(cellSize(5, 100).width, 100);
    const edges = [61, 300, 301, 1500, 5000, 30_000, 30_001].map((sites) => cellSize(sites, 500).width);
    assert.deepEqual(edges, [20, 20, 14, 14, 10, 7, 4]);
  });

  const SIZE = { width: 20, height: 20, gap: 4 };

  test("no cell is drawn beside the room, and none over another", () => {
    const grid = new Grid(SIZE, 7, 100);
    assert.equal(grid.columns, 4);
    assert.deepEqual([grid.width, grid.height], [96, 48]);
    assert.deepEqual(
      [0, 3, 4].map((index) => grid.at(index)),
      [
        [2, 2],
        [74, 2],
        [2, 26],
      ],
    );
  });

  test("where there is room for none there is one column, and without sites no row", () => {
    assert.equal(new Grid(SIZE, 3, 0).columns, 1);
    assert.equal(new Grid(SIZE, 0, 100).height, 0);
    assert.deepEqual(new Grid({ width: 4, height: 4, gap: 1 }, 3, 100).at(0), [0, 0]);
  });

  test("each cell is found where it is drawn", () => {
    for (const room of [20, 100, 333]) {
      const grid = new Grid(SIZE, 50, room);
      for (let index = 0; index < 50; index += 1) {
        const [x, y] = grid.at(index);
        assert.deepEqual([grid.under(x, y), grid.under(x + 19, y + 19)], [index, index]);
      }
    }
  });

  test("beside the last column and behind the last cell there is nothing", () => {
    const grid = new Grid(SIZE, 7, 100);
    assert.equal(grid.under(97, 2), null);
    assert.equal(grid.under(74, 26), null);
    assert.equal(grid.under(2, 60), null);
  });

  test("arrows lead to the neighbours, Home and End to the ends, other keys nowhere", () => {
    const grid = new Grid(SIZE, 12, 100);
    const keys = ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Home", "End", "Tab", "a"];
    assert.deepEqual(
      keys.map((key) => grid.after(5, key, 9)),
      [6, 4, 9, 1, 0, 9, null, null],
    );
  });
});

describe("the evidence of a failure", () => {
  test("where the site was left is told in every case", () => {
    assert.equal(recovery({ recovered: true, version: "1.0" }), "The site is back on 1.0.");
    assert.equal(recovery({ recovered: true, version: null }), "Nothing is left of it on the site.");
    assert.match(recovery({ recovered: false, version: null }), /was not recovered/);
    assert.equal(recovery({ recovered: null }), "");
    assert.equal(
      recovery({ kind: "prestage", recovered: true, version: "1.0" }),
      "What runs on the site is as it was.",
    );
  });

  test("the phases that failed stand out of all, with how long each took", () => {
    const phases = [
      {
        name: "deploy",
        outcome: "failed",
        started_at: "2026-05-04T12:00:00Z",
        finished_at: "2026-05-04T12:00:02.250Z",
      },
      { name: "recover", outcome: "done" },
    ];
    assert.deepEqual(
      failedPhases({ phases }).map(({ name }) => name),
      ["deploy"],
    );
    assert.equal(tookSeconds(phases[0]), 2.25);
  });
});

describe("the system", () => {
  const finding = { code: "lag", about: "strategy.events", message: "it falls behind" };

  test("what several replicas of a service tell is one trouble; what two services tell are two", () => {
    const told = troublesOf([
      { service: "notifier", findings: [finding] },
      {
        service: "notifier",
        findings: [
          { ...finding, message: "it falls further behind" },
          { ...finding, about: "other" },
        ],
      },
      { service: "gateway", findings: [finding] },
      { service: "catalog" },
    ]);
    assert.deepEqual(
      told.map(({ service, about, message }) => [service, about, message]),
      [
        ["notifier", "strategy.events", "it falls further behind"],
        ["notifier", "other", "it falls behind"],
        ["gateway", "strategy.events", "it falls behind"],
      ],
    );
  });

  test("a replica that is not ready says what it lacks", () => {
    assert.equal(lacking({ ready: true, parts: { kafka: false } }), "");
    assert.equal(lacking({ ready: false, parts: { kafka: false, postgres: true } }), "without kafka");
    assert.equal(lacking({ ready: false }), "not ready");
  });

  test("a long list is sent in parts, each element once", () => {
    assert.deepEqual(batches([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]]);
    assert.deepEqual(batches([], 2), []);
  });
});

describe("the audit", () => {
  test("a command is told by its name, what the gateway does itself as it stands", () => {
    assert.equal(deed("belay.strategy.abort_strategy.v1"), "abort strategy");
    assert.equal(deed("create_token"), "create token");
  });

  test("a point in time is put into its field to the minute, and nothing for what is none", () => {
    assert.equal(local("2026-05-04T12:34:56Z"), "2026-05-04T12:34");
    assert.deepEqual([local(null), local("soon")], ["", ""]);
  });
});
