// Why something was refused.

/** A refusal as problem+json; status 0 = the gateway could not be reached. */
export class Problem extends Error {
  constructor(status, facts) {
    super(facts.detail || facts.title || `HTTP ${status}`);
    this.status = status;
    this.title = facts.title || `HTTP ${status}`;
    this.code = facts.code ?? "http_error";
    this.faults = facts.faults ?? []; // at most 100; a last one says how many more
    this.count = facts.faults_count ?? this.faults.length;
  }
}

/** JSON as a value; null for what is none: what stands between us and the gateway may answer in other words. */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What a form says above its faults. */
export function headline({ faults, count, title }) {
  if (faults.length > 1) return `${count} things must be put right`;
  return faults.length ? "One thing must be put right" : title;
}

/** Of the paths of a form's fields the longest that the fault lies at or below; undefined where none is. */
export function placeOf(fault, paths) {
  const path = pathOf(fault);
  const around = paths.filter((one) => path === one || path.startsWith(`${one}.`));
  return around.sort((a, b) => b.length - a.length)[0];
}

/** A fault of the whole may name its field at the beginning of its message: "version: …". */
function pathOf({ field, message }) {
  const plain = field.replace(/^spec\.?/, "");
  return plain || (/^([a-z_.0-9]+): /.exec(message)?.[1] ?? "");
}
