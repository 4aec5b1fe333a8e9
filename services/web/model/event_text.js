// The format text/event-stream, read as it comes in.

/** Text in chunks that may break anywhere, to messages: `take({id?, event, data?})`, once for each. */
export class EventParser {
  #rest = "";
  #message = {};

  constructor(take) {
    this.take = take;
  }

  feed(text) {
    const lines = (this.#rest + text).split(/\r?\n/);
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === "") return this.#end();
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === "data") this.#addData(value);
    else if (name === "id" || name === "event") this.#message[name] = value;
    return undefined;
  }

  #addData(value) {
    const { data } = this.#message;
    this.#message.data = data === undefined ? value : `${data}\n${value}`;
  }

  #end() {
    const message = this.#message;
    this.#message = {};
    this.take({ event: "message", ...message });
  }
}
