import { LINE_FEED, RETURN } from './byte.codes.js';
import { CsvReader, MAX_CSV_FIELDS } from './csv.reader.js';
import { parseJsonNumber } from './json.number.js';
import { MalformedBodyError } from './malformed-body.error.js';
import type { RowErrorList } from './row-error.list.js';
import { limitText, MAX_ROW_BYTES } from './row.limits.js';
import { ROW_FIELDS, type RowField } from './row.fields.js';
import type { RowValidator } from './row.validator.js';
import type { CsvRowScanner } from './scan/csv-row.scanner.js';
import { SlicePace, type Slices } from './slices.js';
import { describeValue } from './value.text.js';

/** Separators of files that are no CSV. */
const SEPARATORS = [
  { byte: ';', name: 'semicolons' },
  { byte: '\t', name: 'tabs' },
  { byte: '|', name: 'bars (|)' },
] as const;

/** What is wrong with a record that is not read whole: its code, and what it says of it. */
const ROW_FAULTS = {
  malformed: ['malformed-line', 'the row has a quote in or beside a field that is not wholly quoted'],
  wide: ['wrong-field-count', `the row has more than ${limitText(MAX_CSV_FIELDS)} fields`],
  long: ['malformed-line', `the row has more than ${limitText(MAX_ROW_BYTES)} bytes`],
} as const;

const HEADER_FAULTS = {
  malformed: 'The CSV header has a misplaced quote.',
  wide: `The CSV header has more than ${limitText(MAX_CSV_FIELDS)} columns.`,
  long: `The CSV header has more than ${limitText(MAX_ROW_BYTES)} bytes.`,
} as const;

/**
 * Decodes a CSV text: a header row, then one row per record. Empty lines are neither. The usual rows are scanned
 * if there is a scanner for columns of these fields.
 */
export function* decodeCsv(
  body: Buffer,
  rows: RowValidator,
  errors: RowErrorList,
  scannerOf?: (fields: readonly number[]) => CsvRowScanner,
): Slices {
  const reader = new CsvReader(body);
  const header = reader.read(0);
  if (header === 'end') return;
  if (header !== 'record') throw new MalformedBodyError(HEADER_FAULTS[header]);
  const { fields, width } = reader;
  const names = fields.map((name) => name.trim());
  const at = columns(names, hintOf(names, body));
  rows.ignored.addUnknown(names);
  const scanner = scannerOf?.(names.map(fieldOf));

  const pace = new SlicePace();
  for (let line = 1; !errors.enough; line++) {
    if (pace.isOver(line, reader.at)) {
      yield;
      scanner?.resume();
    }
    const behind = scanner === undefined ? -1 : scanner.add(reader.at);
    if (behind >= 0) {
      reader.at = behind;
      continue;
    }
    const read = reader.read(line);
    if (read === 'end') return;
    if (read !== 'record') {
      const [code, detail] = ROW_FAULTS[read];
      errors.add(line, '', code, detail);
    } else if (reader.width !== width) {
      const detail = `the row has ${reader.width} fields, the header has ${width}`;
      errors.add(line, '', 'wrong-field-count', detail);
    } else {
      rows.add(
        line,
        fields[at.provider],
        fields[at.symbol],
        fields[at.interval],
        numberOrText(fields[at.ts]),
        numberOrText(fields[at.open]),
        numberOrText(fields[at.high]),
        numberOrText(fields[at.low]),
        numberOrText(fields[at.close]),
        numberOrText(fields[at.volume]),
      );
    }
  }
}

/** What may be wrong with a header that lacks columns; empty when nothing is known. */
function hintOf([only = '', ...others]: readonly string[], body: Buffer): string {
  if (others.length === 0) {
    const separator = SEPARATORS.find(({ byte }) => only.includes(byte));
    return separator === undefined
      ? ` It has one column, ${describeValue(only)}.`
      : ` It has one column, ${describeValue(only)}, and seems to be separated by ${separator.name}: separate by commas.`;
  }
  return hasLineEnds(body)
    ? ''
    : ' The body has no line ends: curl strips them with -d, and keeps them with --data-binary.';
}

function hasLineEnds(body: Buffer): boolean {
  return body.includes(LINE_FEED) || body.includes(RETURN);
}

/** The index of the column of each field; `hint` is told with what is lacking. */
function columns(names: readonly string[], hint: string): Record<RowField, number> {
  const missing = ROW_FIELDS.filter((field) => !names.includes(field));
  if (missing.length > 0) throw new MalformedBodyError(`The CSV header lacks ${missing.join(', ')}.${hint}`);
  const twice = ROW_FIELDS.filter((field) => names.indexOf(field) !== names.lastIndexOf(field));
  if (twice.length > 0)
    throw new MalformedBodyError(`The CSV header has more than one column ${twice.join(', ')}.`);
  const column = (field: RowField): number => names.indexOf(field);
  return {
    provider: column('provider'),
    symbol: column('symbol'),
    interval: column('interval'),
    ts: column('ts'),
    open: column('open'),
    high: column('high'),
    low: column('low'),
    close: column('close'),
    volume: column('volume'),
  };
}

/** The index of the field of a column, UNKNOWN_COLUMN when it has none. */
function fieldOf(name: string): number {
  return (ROW_FIELDS as readonly string[]).indexOf(name);
}

function numberOrText(field: string | undefined): number | string | undefined {
  return field === undefined ? undefined : (parseJsonNumber(field) ?? field);
}
