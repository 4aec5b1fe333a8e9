import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  ago,
  bytes,
  clock,
  full,
  minute,
  number,
  percent,
  plural,
  seconds,
  timeLeft,
  words,
} from "../../../services/web/model/format.js";

const NOW = Date.parse("2026-05-04T12:00:00Z");
const inSeconds = (count) => new Date(NOW + count * 1000).toISOString();

describe("numbers", () => {
  test("thousands are set apart, and what is missing counts as none", () => {
    assert.equal(number(1234567), "1,234,567");
    assert.equal(number(null), "0");
    assert.equal(percent(0.125), "12.5%");
    assert.equal(percent(undefined), "0%");
  });

  test("only one of a thing is told in the singular", () => {
    assert.deepEqual(
      [0, 1, 1000].map((count) => plural(count, "site")),
      ["0 sites", "1 site", "1,000 sites"],
    );
  });

  test("bytes are told in the largest unit that leaves at least one of it", () => {
    const told = [0, 999, 1000, 18_442_000, 5e9, 7e15].map(bytes);
    assert.deepEqual(told, ["0 B", "999 B", "1 kB", "18.4 MB", "5 GB", "7000 TB"]);
  });
});

describe("durations", () => {
  test("a short one has a tenth of a second, a long one its two largest units", () => {
    const told = [0, 4.23, 9.96, 10.4, 42.4, 60, 95, 3600, 7300].map(seconds);
    assert.deepEqual(told, ["0 s", "4.2 s", "10 s", "10 s", "42 s", "1 min", "1 min 35 s", "1 h", "2 h 1 min"]);
  });

  test("one that is not known yet is left empty", () => {
    assert.deepEqual([seconds(null), seconds(undefined)], ["", ""]);
  });

  test("one just below the next unit is not told as sixty of the smaller", () => {
    assert.deepEqual([59.7, 119.7, 3599.8].map(seconds), ["1 min", "2 min", "1 h"]);
  });
});

describe("points in time", () => {
  test("they are told from now, in the largest unit that fits", () => {
    const told = [-30, -180, 7200, -259_200, -1_209_600].map((count) => ago(inSeconds(count), NOW));
    assert.deepEqual(told, ["30 sec. ago", "3 min. ago", "in 2 hr.", "3 days ago", "2 wk. ago"]);
  });

  test("one of today has its time, an older one its day", () => {
    const today = new Date();
    today.setHours(9, 5, 7, 0);
    assert.equal(clock(today), "09:05:07 AM");
    assert.match(clock("2020-03-02T09:05:07Z"), /^Mar 2, 09:05 AM$/);
  });

  test("one that has not come is left empty, any other has its date, its time and its zone", () => {
    assert.equal(full(null), "");
    assert.match(full("2026-05-04T12:00:00Z"), /^May 4, 2026, 12:00:00\sPM UTC$/);
    assert.match(minute("2026-05-04T12:00:00Z"), /^12:00\sPM$/);
  });
});

describe("the time that is left", () => {
  test("its unit is that of the later end", () => {
    assert.equal(timeLeft(inSeconds(12), inSeconds(20), NOW), "12 – 20 s");
    assert.equal(timeLeft(inSeconds(119), inSeconds(610), NOW), "1 – 11 min");
    assert.equal(timeLeft(inSeconds(89), inSeconds(90), NOW), "1 – 2 min");
    assert.equal(timeLeft(inSeconds(3600), inSeconds(9000), NOW), "1 – 2.5 h");
  });

  test("an end that is past already leaves nothing, not less", () => {
    assert.equal(timeLeft(inSeconds(-50), inSeconds(3), NOW), "0 – 3 s");
  });
});

test("a code is read as words", () => {
  assert.equal(words("rolling_back_all"), "rolling back all");
  assert.equal(words(null), "");
});
