import type { LegacyColumn, LegacyTable } from '../../database/legacy/legacy.table.js';

/** The numbers of a bar. */
export const VALUES = ['open', 'high', 'low', 'close', 'volume'] as const;

/** From the smallest to the largest number that a float8 holds with all its digits. */
const FLOAT8 = 'BETWEEN 1e-307 AND 1.7976931348623157e308';

function columnOf(table: LegacyTable, name: string): LegacyColumn {
  const column = table.columns.get(name);
  if (column === undefined) throw new Error(`the table of the earlier release has no column ${name}`);
  return column;
}

/** A number of the earlier table as the nearest float8; NULL when it is not finite. */
export function valueSql(table: LegacyTable, name: string, row: string): string {
  const column = `${row}.${name}`;
  const { type } = columnOf(table, name);
  if (type === 'numeric')
    return `CASE WHEN ${column} = 0 OR abs(${column}) ${FLOAT8} THEN ${column}::float8 END`;
  return `CASE WHEN abs(${column}::float8) < 'Infinity' THEN ${column}::float8 END`;
}

/** Whether the float8 is not the very number. Text, because a cast of a float8 to numeric keeps 15 digits only. */
export function isRoundedSql(table: LegacyTable, name: string, row: string): string {
  const { type } = columnOf(table, name);
  if (type !== 'numeric' && type !== 'bigint') return 'false';
  return `coalesce((${valueSql(table, name, row)})::text::numeric <> ${row}.${name}, false)`;
}
