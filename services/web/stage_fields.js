// The stages of a new strategy: rows that can be added, removed and filled from a pattern.

import { fill, h } from "./dom.js";
import { checkbox, field, input } from "./fields.js";
import { icon } from "./icons.js";
import { keepPlace } from "./redraw.js";

/** Usual ways to cut a roll-out. */
const PATTERNS = [
  ["All at once", [{ name: "all" }]],
  [
    "Canary, then all",
    [
      { name: "canary", take: 1, soak_seconds: 60 },
      { name: "rest", optional: true },
    ],
  ],
  [
    "Canary, 10 %, then all",
    [
      { name: "canary", take: 1, soak_seconds: 60 },
      { name: "early", take: "10%", soak_seconds: 300, optional: true },
      { name: "rest", optional: true },
    ],
  ],
];

export class StageFields {
  #stages = PATTERNS[1][1].map((stage) => ({ ...stage })); // a canary, unless a person decides otherwise

  constructor() {
    this.list = h("ol", { class: "stages" });
    const add = h(
      "button",
      { type: "button", onclick: () => this.#change((stages) => stages.push({ name: `stage-${stages.length + 1}` })) },
      icon("plus"),
      "Add a stage",
    );
    const patterns = PATTERNS.map(([text, stages]) =>
      h("button", { type: "button", class: "chip", onclick: () => this.#use(stages) }, text),
    );
    this.element = h(
      "fieldset",
      { class: "field group", "data-path": "stages" },
      h("legend", {}, "Stages"),
      h(
        "p",
        { class: "muted" },
        "One after another; each takes its sites from those that earlier stages left over. The last one usually takes all the rest.",
      ),
      h("div", { class: "chips" }, patterns),
      this.list,
      add,
      h("div", { class: "fault" }),
    );
    this.#render();
  }

  /** The stages as they were entered, for `stageOf`. */
  get value() {
    return [...this.list.children].map(read);
  }

  #use(stages) {
    this.#stages = stages.map((stage) => ({ ...stage }));
    this.#render();
  }

  #change(work) {
    this.#stages = this.value;
    work(this.#stages);
    keepPlace(this.list, () => this.#render());
  }

  #render() {
    const remove = (number) => this.#change((stages) => stages.splice(number, 1));
    fill(
      this.list,
      this.#stages.map((stage, number) => row(stage, number, this.#stages.length > 1 && (() => remove(number)))),
    );
  }
}

function row(stage, number, remove) {
  const path = (name) => `stages.${number}.${name}`;
  const text = (name, value = "", placeholder = "") => input(name, { value: value ?? "", placeholder });
  return h(
    "li",
    { class: "stage" },
    field(path("name"), "Name", text("stage-name", stage.name)),
    field(path("take"), "Takes", text("stage-take", stage.take, "all that match"), "sites, or 10%"),
    field(path("groups"), "Groups", text("stage-groups", stage.groups, "any")),
    field(path("labels"), "Labels", text("stage-labels", stage.labels, "any"), "key=value"),
    field(path("max_parallel"), "Max parallel", text("stage-parallel", stage.max_parallel, "as below")),
    field(path("soak_seconds"), "Soak", text("stage-soak", stage.soak_seconds, "0"), "seconds"),
    checkbox("stage-optional", "May be empty", Boolean(stage.optional)),
    remove &&
      h(
        "button",
        { type: "button", class: "quiet", "aria-label": `Remove stage ${stage.name}`, onclick: remove },
        icon("close"),
      ),
  );
}

function read(element) {
  const text = (name) => element.querySelector(`[name=stage-${name}]`).value;
  return {
    name: text("name"),
    take: text("take"),
    groups: text("groups"),
    labels: text("labels"),
    max_parallel: text("parallel"),
    soak_seconds: text("soak"),
    optional: element.querySelector("[name=stage-optional]").checked,
  };
}
