// What is pure of sending a file in parts.

const WAITS = [300, 1000, 3000, 8000, 15000];

/** Milliseconds before the next try after so many without any progress; null = no more. */
export const nextWait = (failures) => WAITS[failures] ?? null;

/** Under which name the page remembers the upload of a file: one that was changed is another. */
export const rememberedAs = (file) => `upload ${file.name} ${file.size} ${file.lastModified}`;

/** Whether the same request may do later: nobody answered, a gateway that stops, or one of these refusals. */
export const passes = (error, later) => !error.status || error.status >= 500 || later.includes(error.code);
