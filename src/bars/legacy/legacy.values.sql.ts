import type { LegacyColumn, LegacyTable } from '../../database/legacy/legacy.table.js';

/** The numbers of a bar. */
export const VALUES = ['open', 'high', 'low', 'close', 'volume'] as const;

/** From the smallest to the largest number that a float8 holds with all its digits. */
const FLOAT8 = 'BETWEEN 1e-307 AND 1.7976931348623157e308';
const FLOAT4 = 'BETWEEN 1.2e-38 AND 3.4028234e38';
const INTEGERS: Readonly<Record<string, string>> = {
  smallint: 'BETWEEN -32768 AND 32767',
  integer: 'BETWEEN -2147483648 AND 2147483647',
  bigint: 'BETWEEN -9223372036854775808 AND 9223372036854775807',
};

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

/** A float8 as the earlier table's column takes it: rounded, where it holds fewer digits. */
export function legacyValueSql(table: LegacyTable, name: string, value: string): string {
  const { type, digits } = columnOf(table, name);
  if (type === 'double precision') return value;
  if (type === 'real') return `${value}::real`;
  const exact = `${value}::text::numeric`;
  if (type === 'numeric') return digits === undefined ? exact : `round(${exact}, ${digits.fraction})`;
  return `round(${exact})::${type}`;
}

/** Whether the earlier table's column can hold a float8, perhaps rounded. */
export function fitsSql(table: LegacyTable, name: string, value: string): string {
  const { type, digits } = columnOf(table, name);
  if (type === 'real') return `(${value} = 0 OR abs(${value}) ${FLOAT4})`;
  if (type in INTEGERS) return `round(${value}::text::numeric) ${INTEGERS[type]}`;
  if (digits === undefined) return 'true';
  const { all, fraction } = digits;
  return `abs(round(${value}::text::numeric, ${fraction})) < 1e${all - fraction}`;
}

/** Whether the earlier table's column can hold a text. */
export function textFitsSql(table: LegacyTable, name: string, text: string): string {
  const { length } = columnOf(table, name);
  return length === undefined ? 'true' : `length(${text}) <= ${length}`;
}
