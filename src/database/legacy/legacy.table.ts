/** The table of an earlier release, and what it is called once the view has its name. */
export const LEGACY = { name: 'bars_ohlcv', adopted: 'bars_ohlcv_legacy' } as const;

/** Runs a statement and gives its rows: TypeORM and pg differ in how. */
export type Query = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>;

/** A table that has a name which the service needs, and is not one that it can take over. Nothing was changed. */
export class LegacyTableError extends Error {
  override readonly name = 'LegacyTableError';
}

/** A column as PostgreSQL describes it. */
export interface LegacyColumn {
  /** Without its modifier: `numeric`, not `numeric(12,4)`. */
  readonly type: string;
  /** Most characters of a text; undefined: no bound. */
  readonly length: number | undefined;
  /** Digits of a numeric, all and behind the point; undefined: no bound. */
  readonly digits: { readonly all: number; readonly fraction: number } | undefined;
}

/** What is known of the table. */
export interface LegacyTable {
  readonly columns: ReadonlyMap<string, LegacyColumn>;
  /** Columns of the primary key, in its order. */
  readonly key: readonly string[];
}

const TEXT = ['text', 'character varying', 'character'];
const TIME = ['timestamp with time zone'];
const NUMBER = ['double precision', 'real', 'numeric', 'smallint', 'integer', 'bigint'];

/** The types that each column may have. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  ...{ provider: TEXT, symbol: TEXT, interval: TEXT, ts: TIME },
  ...{ open: NUMBER, high: NUMBER, low: NUMBER, close: NUMBER, volume: NUMBER },
  ...{ created_at: TIME, updated_at: TIME },
};
/** Times that a way back must give as they are: rounded, two bars would be one, or be received later than they were. */
const EXACT = ['ts', 'updated_at'];
/** Digits of a second. */
const MICROSECOND = 6;
const KEY = ['provider', 'symbol', 'interval', 'ts'];

interface DescribedColumn {
  readonly kind: string;
  readonly column: string | null;
  readonly type: string;
  readonly modifier: number;
  readonly required: boolean;
  readonly key: number | null;
}

/** By the kind of relation and its columns; of a partition's parent too. */
const DESCRIBE = `
  SELECT rel.relkind AS kind, att.attname AS column, format_type(att.atttypid, NULL) AS type,
         att.atttypmod AS modifier,
         att.attnotnull AND NOT att.atthasdef AND att.attidentity = '' AND att.attgenerated = '' AS required,
         array_position(pk.indkey::int2[], att.attnum)::int AS key
    FROM pg_class AS rel
    LEFT JOIN pg_attribute AS att ON att.attrelid = rel.oid AND att.attnum > 0 AND NOT att.attisdropped
    LEFT JOIN pg_index AS pk ON pk.indrelid = rel.oid AND pk.indisprimary
   WHERE rel.relname = $1 AND rel.relnamespace = current_schema()::regnamespace
   ORDER BY att.attnum`;

const isTable = (kind: string): boolean => kind === 'r' || kind === 'p';

/**
 * Describes the table of this name.
 * @returns undefined when there is no table; a view is none
 * @throws LegacyTableError when the table is not one that can be taken over
 */
export async function describeLegacyTable(query: Query, name: string): Promise<LegacyTable | undefined> {
  const rows = await query<DescribedColumn>(DESCRIBE, [name]);
  if (!isTable(rows[0]?.kind ?? '')) return undefined;
  const described = rows.filter((row) => row.column !== null);
  const found = new Map(described.map((row) => [row.column ?? '', row]));
  const key = described
    .filter((row) => row.key !== null)
    .sort((a, b) => (a.key ?? 0) - (b.key ?? 0))
    .map((row) => row.column ?? '');
  const faults = [
    ...Object.entries(TYPES).flatMap(([column, types]) => faultOf(column, types, found.get(column))),
    ...(key.length === KEY.length && KEY.every((column) => key.includes(column))
      ? []
      : [`it has the primary key (${key.join(', ')}), not (${KEY.join(', ')})`]),
    ...described
      .filter((row) => row.required && TYPES[row.column ?? ''] === undefined)
      .map((row) => `its column ${row.column} must have a value that the service cannot know`),
  ];
  if (faults.length > 0)
    throw new LegacyTableError(
      `the table ${name} is not that of an earlier release, and its name is needed: ${faults.join('; ')}. ` +
        'Change it, or rename it; nothing was changed (docs/upgrade.md)',
    );
  return { columns: new Map([...found].map(([column, row]) => [column, columnOf(row)])), key };
}

function faultOf(column: string, types: readonly string[], found: DescribedColumn | undefined): string[] {
  if (found === undefined) return [`it has no column ${column}`];
  const { type, modifier } = found;
  if (!types.includes(type)) return [`its column ${column} is ${type}, not ${types.join(' or ')}`];
  return EXACT.includes(column) && modifier >= 0 && modifier < MICROSECOND
    ? [`its column ${column} is rounded to ${modifier} digits of a second, and must have ${MICROSECOND}`]
    : [];
}

/** A modifier is 4 more than the length, or than the digits, of which the fraction has the lower 11 bits. */
function columnOf({ type, modifier }: DescribedColumn): LegacyColumn {
  const known = modifier >= 0 ? modifier - 4 : undefined;
  return {
    type,
    length: TEXT.includes(type) ? known : undefined,
    digits:
      type === 'numeric' && known !== undefined
        ? { all: (known >> 16) & 0xffff, fraction: known & 0x7ff }
        : undefined,
  };
}
