// What is wrong with Belay itself, from what its replicas tell.

/** Each finding once, however many replicas of a service tell of it: `{service, code, about, message, advice, since}`. */
export function troublesOf(replicas) {
  const found = new Map();
  for (const { service, findings = [] } of replicas) {
    for (const finding of findings) found.set(`${service} ${finding.code} ${finding.about}`, { ...finding, service });
  }
  return [...found.values()];
}

/** Why a replica is not ready; empty where it is. */
export function lacking({ ready, parts = {} }) {
  if (ready) return "";
  const missing = Object.keys(parts).filter((name) => !parts[name]);
  return missing.length ? `without ${missing.join(", ")}` : "not ready";
}

/** A list cut into parts of at most so many. */
export function batches(items, most) {
  const count = Math.ceil(items.length / most);
  return Array.from({ length: count }, (_, number) => items.slice(number * most, (number + 1) * most));
}
