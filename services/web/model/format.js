// Numbers and times as people read them, in the reader's own language and time zone.

const NUMBER = new Intl.NumberFormat();
const PERCENT = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, {
  ...{ year: "numeric", month: "short", day: "numeric" },
  ...{ hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" },
});
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const UNITS = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 7],
  ["week", Infinity],
];

export const number = (value) => NUMBER.format(value ?? 0);
export const percent = (share) => PERCENT.format(share ?? 0);

/** The whole of it, with its zone: who reads it beside a log of another machine must not guess. */
export const full = (time) => (time ? FULL.format(new Date(time)) : "");

/** "1 site", "1,000 sites". */
export const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

/** "3 min ago", "in 2 hr". */
export function ago(time, now = Date.now()) {
  let value = (new Date(time).getTime() - now) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(value) < size) return RELATIVE.format(Math.trunc(value), unit);
    value /= size;
  }
  return "";
}

/** The time of day for what happened today, with the day for what is older. */
export function clock(time) {
  const date = new Date(time);
  return (date.toDateString() === new Date().toDateString() ? CLOCK : DAY).format(date);
}

/** The time of day to the minute. */
export const minute = (time) => MINUTE.format(new Date(time));

/** 4.2 -> "4.2 s", 95 -> "1 min 35 s", 7300 -> "2 h 1 min". */
export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 10) return `${Number(value.toFixed(1))} s`;
  const whole = Math.round(value); // first, or there would be a minute of 60 s
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return joined(`${minutes} min`, whole % 60, "s");
  return joined(`${Math.floor(minutes / 60)} h`, minutes % 60, "min");
}

const joined = (large, small, unit) => (small ? `${large} ${small} ${unit}` : large);

/** A range of two points in time as the time that is left: "12 – 24 min". */
export function timeLeft(low, high, now = Date.now()) {
  const [from, to] = [low, high].map((time) => Math.max(0, (new Date(time).getTime() - now) / 1000));
  if (to < 90) return `${Math.round(from)} – ${Math.ceil(to)} s`;
  if (to < 5400) return `${Math.floor(from / 60)} – ${Math.ceil(to / 60)} min`;
  return `${Number((from / 3600).toFixed(1))} – ${Number((to / 3600).toFixed(1))} h`;
}

/** 18442000 -> "18.4 MB". */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${Number((value / 1000 ** step).toFixed(1))} ${units[step]}`;
}

/** rolling_back -> "rolling back". */
export const words = (code) => String(code ?? "").replaceAll("_", " ");
