// Icons as paths in a 16 x 16 box, stroked: the same shapes serve the badges and the cells of the board.

const PATHS = {
  waiting: "M8 3.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z",
  running: "M5.5 3.5v9l7-4.5z",
  complete: "M3 8.5l3.5 3.5L13 4.5",
  failed: "M4 4l8 8M12 4l-8 8",
  aborted: "M3.5 8h9",
  paused: "M5.5 4v8M10.5 4v8",
  soaking: "M8 4.5V8l2.5 1.5M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11z",
  ready: "M8 3.5v9M3.5 8h9",
  warning: "M8 2.5l6 11H2zM8 6.5v3.5M8 12v.01",
  discover: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9zM10.5 10.5l3 3",
  release: "M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5L8 8l5.5-3M8 8v6",
  back: "M9.5 3.5L5 8l4.5 4.5",
  plus: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6zM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3a4.5 4.5 0 0 0 6.5 6.5z",
  upload: "M8 11V3M4.5 6L8 2.5L11.5 6M2.5 11v2.5h11V11",
  refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5V5h-2.5",
  up: "M8 13V3M4 7l4-4l4 4",
  out: "M10 3.5h3v9h-3M2.5 8h7M6.5 5L9.5 8l-3 3",
};

/** The path data of an icon; a shape that is not known is drawn as waiting. */
export const pathOf = (name) => (Object.hasOwn(PATHS, name) ? PATHS[name] : PATHS.waiting);
