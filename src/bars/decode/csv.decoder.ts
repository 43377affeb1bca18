import { CsvReader, MAX_CSV_FIELDS } from './csv.reader.js';
import { parseJsonNumber } from './json.number.js';
import { MalformedBodyError } from './malformed-body.error.js';
import type { RowErrorList } from './row-error.list.js';
import { ROW_FIELDS, type RowField } from './row.fields.js';
import type { RowValidator } from './row.validator.js';

/** Decodes a CSV text: a header row, then one row per record. Empty lines are neither. */
export function decodeCsv(body: Buffer, rows: RowValidator, errors: RowErrorList): void {
  const reader = new CsvReader(body.toString('utf8'));
  const header = reader.read();
  if (header === 'end') return;
  if (header === 'malformed') throw new MalformedBodyError('The CSV header has a misplaced quote.');
  const { fields, width } = reader;
  if (width > MAX_CSV_FIELDS) {
    throw new MalformedBodyError(`The CSV header has ${width} columns, more than ${MAX_CSV_FIELDS}.`);
  }
  const at = columns(fields);

  let line = 0;
  for (let read = reader.read(); read !== 'end' && !errors.enough; read = reader.read()) {
    line++;
    if (read === 'malformed') {
      errors.add(
        line,
        '',
        'malformed-line',
        'the row has a quote in or beside a field that is not wholly quoted',
      );
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

/** The index of the column of each field. */
function columns(header: readonly string[]): Record<RowField, number> {
  const names = header.map((name) => name.trim());
  const missing = ROW_FIELDS.filter((field) => !names.includes(field));
  if (missing.length > 0) throw new MalformedBodyError(`The CSV header lacks ${missing.join(', ')}.`);
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

function numberOrText(field: string | undefined): number | string | undefined {
  return field === undefined ? undefined : (parseJsonNumber(field) ?? field);
}
