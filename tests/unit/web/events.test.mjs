import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { concernsOperation, concernsSite } from "../../../services/web/model/concerns.js";
import { EventParser } from "../../../services/web/model/event_text.js";
import { Listeners } from "../../../services/web/model/listeners.js";

function read(...chunks) {
  const messages = [];
  const parser = new EventParser((message) => messages.push(message));
  for (const chunk of chunks) parser.feed(chunk);
  return messages;
}

const STREAM = 'id: 7\nevent: steps_changed\ndata: {"a": 1}\n\n: still here\nid: 8\n\n';
const READ = [
  { id: "7", event: "steps_changed", data: '{"a": 1}' },
  { id: "8", event: "message" },
];

describe("the event stream", () => {
  test("a message ends with an empty line, and a heartbeat is one that has no data", () => {
    assert.deepEqual(read(STREAM), READ);
  });

  test("it is read the same wherever it is broken into chunks", () => {
    for (let at = 0; at <= STREAM.length; at += 1) assert.deepEqual(read(STREAM.slice(0, at), STREAM.slice(at)), READ);
    assert.deepEqual(read(...STREAM), READ);
  });

  test("what is not ended yet is not told", () => {
    assert.deepEqual(read("event: x\ndata: 1\n"), []);
  });

  test("several lines of data are one text, and one space behind the colon is no part of it", () => {
    const [{ data }] = read("data: one\ndata:  two\ndata:\ndata:three\n\n");
    assert.equal(data, "one\n two\n\nthree");
  });

  test("lines may end as they do on Windows, and data may hold colons", () => {
    assert.deepEqual(read("event: x\r\ndata: a: b\r\n\r\n"), [{ event: "x", data: "a: b" }]);
  });

  test("nothing of a message is left over for the next one", () => {
    assert.deepEqual(read("id: 1\nevent: x\ndata: 1\n\ndata: 2\n\n")[1], { event: "message", data: "2" });
  });
});

describe("listeners", () => {
  test("each hears of the types it asked for, and of no others", () => {
    const [heard, listeners] = [[], new Listeners()];
    listeners.add(["a", "b"], (event) => heard.push(event));
    for (const type of ["a", "b", "c"]) listeners.tell(type, type);
    assert.deepEqual(heard, ["a", "b"]);
  });

  test("with the view its listeners end, those of other views stay", () => {
    const [heard, listeners, view] = [[], new Listeners(), new AbortController()];
    listeners.add(["a", "b"], () => heard.push("this"), view.signal);
    listeners.add("a", () => heard.push("other"), new AbortController().signal);
    view.abort();
    listeners.tell("a");
    listeners.tell("b");
    assert.deepEqual(heard, ["other"]);
  });

  test("a view that ended before it could listen hears nothing", () => {
    const [heard, listeners] = [[], new Listeners()];
    listeners.add("a", () => heard.push("late"), AbortSignal.abort());
    listeners.tell("a");
    assert.deepEqual(heard, []);
  });

  test("one that ends while an event is told takes none of the others along", () => {
    const [heard, listeners, view] = [[], new Listeners(), new AbortController()];
    listeners.add("a", () => view.abort());
    listeners.add("a", () => heard.push("ended"), view.signal);
    listeners.add("a", () => heard.push("other"));
    listeners.tell("a");
    assert.deepEqual(heard, ["other"]);
  });
});

describe("whom an event is about", () => {
  test("a site hears of events that name it, alone or in a list", () => {
    for (const data of [
      { site: "oslo" },
      { names: ["rome", "oslo"] },
      { sites: [{ name: "oslo" }] },
      { sites: [{ site: "oslo", availability: "offline" }] },
      { deployments: [{ site: "oslo" }] },
    ]) {
      assert.equal(concernsSite({ data }, "oslo"), true);
      assert.equal(concernsSite({ data }, "bern"), false);
    }
  });

  test("one that lists nobody, or has no body, may be about any site", () => {
    assert.equal(concernsSite({ data: { count: 3 } }, "oslo"), true);
    assert.equal(concernsSite({ data: null }, "oslo"), true);
  });

  test("an operation hears of its own events and of what it brought", () => {
    assert.equal(concernsOperation({ data: { operation_id: "o-1" } }, "o-1"), true);
    assert.equal(concernsOperation({ data: { operation_id: "o-2" } }, "o-1"), false);
    assert.equal(concernsOperation({ data: { deployments: [{ operation_id: "o-1" }] } }, "o-1"), true);
    assert.equal(concernsOperation({ data: null }, "o-1"), true);
  });
});
