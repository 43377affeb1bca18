/** A column of a table. */
export interface Column<R> {
  readonly title: string;
  readonly text: (row: R) => string;
  /** Numbers stand to the right. */
  readonly right?: boolean;
}

/** Rows under titles, in columns as wide as they need to be. Each line ends with a line end. */
export function textTable<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ text }) => text(row))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  return cells.map((line) => `${lineOf(line, columns, widths)}\n`).join('');
}

function lineOf<R>(
  line: readonly string[],
  columns: readonly Column<R>[],
  widths: readonly number[],
): string {
  const padded = line.map((cell, index) => {
    const width = widths[index] ?? 0;
    return columns[index]?.right ? cell.padStart(width) : cell.padEnd(width);
  });
  return padded.join('  ').trimEnd();
}

/** A count with its noun: `1 row`, `2,000 rows`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A number with its thousands set apart. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
