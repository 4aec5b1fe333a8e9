// Where the cells of a board are: in rows, as many beside each other as there is room for.

/** For at most so many sites: edge of a cell and gap between cells, in pixels. */
const SIZES = [
  [300, 20, 4],
  [1500, 14, 3],
  [5000, 10, 2],
  [30000, 7, 1],
  [Infinity, 4, 1],
];
const NAMED_MOST = 60;
const NAMED_WIDTH = 148;

/** Steps over the columns and over the rows by the key that is pressed. */
const KEYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/** The size of a cell for so many sites: few get their names, many get smaller. */
export function cellSize(sites, room) {
  if (sites <= NAMED_MOST) return { width: Math.min(room, NAMED_WIDTH), height: 30, gap: 5, named: true };
  const [, edge, gap] = SIZES.find(([most]) => sites <= most);
  return { width: edge, height: edge, gap, named: false };
}

/** The places of `count` cells of a size in a room of so many pixels. */
export class Grid {
  constructor(size, count, room) {
    this.across = size.width + size.gap;
    this.down = size.height + size.gap;
    this.inset = Math.floor(size.gap / 2); // whole pixels: edges stay sharp
    this.columns = Math.max(1, Math.floor((room + size.gap) / this.across));
    this.count = count;
  }

  get width() {
    return this.columns * this.across;
  }

  get height() {
    return Math.ceil(this.count / this.columns) * this.down;
  }

  /** The upper left corner of a cell. */
  at(index) {
    const [column, row] = [index % this.columns, Math.floor(index / this.columns)];
    return [column * this.across + this.inset, row * this.down + this.inset];
  }

  /** The cell at a point, or in the gap before the next one; null beside all cells. */
  under(x, y) {
    const column = Math.floor(x / this.across);
    const index = Math.floor(y / this.down) * this.columns + column;
    return column < this.columns && index < this.count ? index : null;
  }

  /** Where a key leads from a cell, `last` being the last one; may lie outside. Null for keys that lead nowhere. */
  after(index, key, last) {
    if (key === "Home") return 0;
    if (key === "End") return last;
    const [columns, rows] = KEYS[key] ?? [0, 0];
    return columns || rows ? index + columns + rows * this.columns : null;
  }
}
