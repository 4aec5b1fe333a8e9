// What a person entered into the form for a new strategy, as it stands there.

const BOXES = ["everywhere", "force", "heed_monitor"];

/** The values of all fields by their names; of boxes whether they are checked, of groups those that are. */
export function entered(form, stages) {
  const texts = Object.fromEntries(new FormData(form));
  const boxes = Object.fromEntries(BOXES.map((name) => [name, form.elements[name].checked]));
  return { ...texts, ...boxes, group: new FormData(form).getAll("group"), stages: stages.value };
}
