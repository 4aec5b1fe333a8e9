// What a person types into a field, as the value that the API takes.

/** "10" -> 10, "20%" -> "20%", "" -> undefined; what is neither goes as it is, for the gateway to judge. */
export function limit(text) {
  const plain = text.trim();
  return /^-?\d+$/.test(plain) ? Number(plain) : plain || undefined;
}

/** A text without the spaces around it; undefined where nothing is left. */
export const given = (text) => text.trim() || undefined;

/** "true" and "false" as what they mean; undefined where a person left it to the release. */
export const said = (text) => (text ? text === "true" : undefined);

/** Without what a person left as it is. */
export const chosen = (facts) => Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));

/** Names from a text, separated by commas, spaces or lines. */
export const names = (text) => text.split(/[\s,]+/).filter(Boolean);

/** "tier=gold region=eu" -> {tier: "gold", region: "eu"} */
export const labels = (text) => Object.fromEntries(names(text).map(pair));

/** Labels one a line: a value may hold spaces and commas. */
export const labelLines = (text) =>
  Object.fromEntries(
    text
      .split("\n")
      .map((line) => line.trimStart())
      .filter(Boolean)
      .map(pair),
  );

/** {tier: "gold"} -> ["tier=gold"]: what `labels` and `labelLines` read back. */
export const pairs = (labelled = {}) => Object.entries(labelled).map(([key, value]) => `${key}=${value}`);

/** "a=b" -> ["a", "b"] */
export function pair(text) {
  const [key, ...rest] = text.split("=");
  return [key, rest.join("=")];
}
