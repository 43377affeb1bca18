import { beforeEach, describe, expect, it } from '@jest/globals';

import { csvRow, GOOD_ROW, jsonRow } from '../bars/decode.samples.js';
import { type Bar, type Format, FORMATS, read, rowErrors, ServedDatabase, TYPES } from './api.samples.js';

const served = new ServedDatabase();
beforeEach(() => served.clear());

async function stored(): Promise<Bar[]> {
  return read(await served.get('/v1/bars'), 'json');
}

/** Posts the body, which must be taken, and gives what is stored then. */
async function storedFrom(body: string | Uint8Array, format: Format): Promise<Bar[]> {
  const { status, json } = await served.service.post(body, TYPES[format]);
  expect({ status, ...json }).toMatchObject({ status: 200, rejected: 0 });
  return await stored();
}

const TWO = [GOOD_ROW, { ...GOOD_ROW, symbol: 'VOO' }];
const BODIES: Readonly<Record<Format, string>> = {
  json: `[\n${TWO.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`,
  ndjson: TWO.map((row) => `${JSON.stringify(row)}\n`).join(''),
  csv: `${csvRow()}${csvRow({ symbol: 'VOO' }).split('\n')[1]}\n`,
};

describe('an unusual body that is right', () => {
  it.each(FORMATS)(
    'is taken as %s: CRLF, a byte order mark, no final newline, blank lines',
    async (format) => {
      const body = BODIES[format];
      for (const same of [
        body.replaceAll('\n', '\r\n'),
        `\ufeff${body}`,
        body.trimEnd(),
        `\ufeff${body.trimEnd().replaceAll('\n', '\r\n')}`,
        `\n\n${body.replaceAll('\n', '\n\n')}`,
      ]) {
        await served.clear();
        expect(await storedFrom(same, format)).toEqual(TWO);
      }
    },
  );

  it('may be one JSON row or an object with bars', async () => {
    expect(await storedFrom(jsonRow(), 'json')).toEqual([GOOD_ROW]);
    expect(await storedFrom(`{"note":1,"bars":[${jsonRow({ symbol: '"VOO"' })}],"total":1}`, 'json')).toEqual(
      TWO,
    );
  });

  it('may name a field twice, of which the last counts, and fields that are not known', async () => {
    const twice = jsonRow().replace('{', '{"close":"x","symbol":"NO","close":-1,');
    expect(await storedFrom(twice, 'json')).toEqual([GOOD_ROW]);
    const unknown = jsonRow({ vwap: '1', constructor: '{"prototype":{}}', toString: '1', '': 'null' });
    expect(await storedFrom(unknown, 'ndjson')).toEqual([GOOD_ROW]);
    expect(await storedFrom(csvRow({ vwap: '', __proto__x: '2', constructor: 'y' }), 'csv')).toEqual([
      GOOD_ROW,
    ]);
  });

  it('may try to reach prototypes without effect', async () => {
    const polluting = jsonRow().replace('{', '{"__proto__":{"symbol":"EVIL","polluted":1},');
    expect(await storedFrom(polluting, 'json')).toEqual([GOOD_ROW]);
    expect(await storedFrom(`${polluting}\n${jsonRow({ symbol: '"VOO"' })}`, 'ndjson')).toEqual(TWO);
    const { status, json } = await served.service.post('{"provider":"a"}', TYPES.json);
    expect([status, json.errors?.[0]?.['pointer']]).toEqual([422, '/symbol']);
  });

  it.each([1_000, 100_000])('may have an unknown field nested %d deep', async (depth) => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const deep = `${open.repeat(depth)}1${close.repeat(depth)}`;
      expect(await storedFrom(jsonRow({ deep }), 'json')).toEqual([GOOD_ROW]);
      expect(await storedFrom(jsonRow({ deep }), 'ndjson')).toEqual([GOOD_ROW]);
    }
  });

  it('may have quoted CSV fields with commas, quotes and line ends in them', async () => {
    const [header = '', row = ''] = csvRow().split('\n');
    const quoted = row.split(',').map((field) => `"${field}"`);
    expect(await storedFrom(`"note",${header}\r\n"a ""b"", c\r\n\n",${quoted.join(',')}`, 'csv')).toEqual([
      GOOD_ROW,
    ]);
  });
});

describe('an unusual number that is right', () => {
  it.each([
    ['-0', -0],
    ['0e0', 0],
    ['1e-320', 1e-320],
    ['5e-324', 5e-324],
    ['1e-400', 0],
    ['1E+2', 100],
    ['2.50', 2.5],
    ['9007199254740993', 9007199254740992],
    ['9007199254740991', 9007199254740991],
    ['0.1000000000000000055511151231257827', 0.1],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['123456789012345678901234567890', 1.2345678901234568e29],
  ])('is stored as the nearest double: %s', async (text, expected) => {
    for (const format of FORMATS) {
      await served.clear();
      const fields = { open: '-0', high: text, low: '-0', close: text, volume: text };
      const body = format === 'csv' ? csvRow(fields) : jsonRow(fields);
      const [found] = await storedFrom(body, format);
      expect(found).toEqual({
        ...GOOD_ROW,
        open: -0,
        high: expected,
        low: -0,
        close: expected,
        volume: expected,
      });
      const [fromCsv] = read(await served.get('/v1/bars?format=csv'), 'csv');
      expect(fromCsv).toEqual(found);
    }
  });

  it.each([
    [
      { open: '-37.63', high: '-1', low: '-40.32', close: '-38' },
      { open: -37.63, high: -1, low: -40.32, close: -38 },
    ],
    [
      { open: '2', high: '2', low: '2', close: '2', volume: '0' },
      { open: 2, high: 2, low: 2, close: 2, volume: 0 },
    ],
  ])('may be negative or all the same: %j', async (fields, numbers) => {
    expect(await storedFrom(jsonRow(fields), 'json')).toEqual([{ ...GOOD_ROW, ...numbers }]);
  });
});

describe('good and bad rows mixed, with on_error=skip', () => {
  const rows = [
    jsonRow(),
    'not json',
    jsonRow({ symbol: '"VOO"' }),
    '',
    jsonRow({ symbol: '"BAD"', close: '"2"' }),
    jsonRow({ symbol: '"BAD"', ts: '"2026-02-30"' }),
    '[]',
  ];

  it('store the good ones and tell of each bad one', async () => {
    const answer = await served.service.post(rows.join('\n'), TYPES.ndjson, '?on_error=skip');
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ accepted: 2, inserted: 2, rejected: 4, errors_truncated: false });
    expect(rowErrors(answer)).toEqual([
      '2  malformed-line',
      '5 /close wrong-type',
      '6 /ts invalid-ts',
      '7  not-an-object',
    ]);
    expect(await stored()).toEqual(TWO);
  });

  it('count every bad row and tell of the first 100', async () => {
    const many = [...Array.from({ length: 5_000 }, () => jsonRow({ volume: '-1' })), ...rows];
    const { status, json } = await served.service.post(
      many.join('\n'),
      TYPES.ndjson,
      '?on_error=skip&ack=stored',
    );
    expect(status).toBe(200);
    expect(json).toMatchObject({ accepted: 2, rejected: 5_004, errors_truncated: true });
    expect(json.errors).toHaveLength(100);
  });

  it('work alike in JSON and CSV', async () => {
    const json = await served.service.post(
      `[${jsonRow()},7,${jsonRow({ symbol: '"VOO"' })}]`,
      TYPES.json,
      '?on_error=skip',
    );
    expect(json.json).toMatchObject({ accepted: 2, inserted: 2, rejected: 1, errors: [{ line: 2 }] });
    const csv = await served.service.post(`${BODIES.csv}x\n`, TYPES.csv, '?on_error=skip');
    expect(csv.json).toMatchObject({ accepted: 2, unchanged: 2, rejected: 1, errors: [{ line: 3 }] });
    expect(await stored()).toEqual(TWO);
  });
});

it('makes room for the next large body once one is answered', async () => {
  const headers = { 'content-encoding': 'gzip' };
  const body = Buffer.alloc(8 * 1024 * 1024);
  // Each is reckoned with a quarter of what all may take at once.
  for (let turn = 1; turn <= 6; turn++) {
    const { status, json } = await served.service.post(body, TYPES.ndjson, '', headers);
    expect([turn, status, json.code]).toEqual([turn, 400, 'malformed-body']);
  }
});
