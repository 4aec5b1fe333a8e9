// Addresses: which view a path names, and parameters behind it.

/** A pattern such as `/sites/:name` as a function of a path: its parameters, or null where it does not fit. */
export function compile(pattern) {
  const names = [];
  const source = pattern.replace(/:(\w+)/g, (_, name) => {
    names.push(name);
    return "([^/]+)";
  });
  const regex = new RegExp(`^${source}$`);
  return (path) => {
    const found = regex.exec(path);
    return found && Object.fromEntries(names.map((name, i) => [name, decoded(found[i + 1])]));
  };
}

/** A part of an address; what somebody typed that is no code of anything stands for itself. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** `#/sites?group=lab` as its path and its parameters; without a path it is the first view. */
export function partsOf(hash) {
  const [path, search] = (hash.slice(1) || "/").split("?");
  return { path, query: new URLSearchParams(search) };
}

/** Parameters as they stand behind an address; those that are empty are left out. */
export function query(params) {
  const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** A path of the API by its name there, such as `/v1/sites/{site}/check`, with its parts in their order. */
export function at(template, ...parts) {
  const left = [...parts];
  return template.replace(/\{\w+\}/g, () => encodeURIComponent(left.shift()));
}
