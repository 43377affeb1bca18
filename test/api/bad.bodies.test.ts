import { afterEach, describe, expect, it } from '@jest/globals';

import { csvRow, jsonRow } from '../bars/decode.samples.js';
import { type Format, FORMATS, rowErrors, ServedDatabase, TYPES } from './api.samples.js';

const served = new ServedDatabase();

const NOTHING = { bars: 0, series: 0, revisions: 0 };

afterEach(async () => {
  expect(await served.stored()).toEqual(NOTHING);
  const health = await served.service.fetch('/healthz');
  expect(await health.json()).toMatchObject({ ok: true, state: 'healthy' });
});

/** Status and code of the answer, and `line pointer code` of each bad row. */
async function refusal(body: string | Uint8Array, format: Format, query = ''): Promise<unknown[]> {
  const answer = await served.service.post(body, TYPES[format], query);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.json['detail']).toEqual(expect.stringMatching(/^[^\n]{10,400}$/));
  expect(JSON.stringify(answer.json)).not.toMatch(/\bat .*\.[jt]s:|select |insert |copy /i);
  return [answer.status, answer.json.code, ...rowErrors(answer)];
}

/** A good row of the format with one field written as given, as JSON writes it and bare in CSV. */
function rowWith(field: string, text: string, format: Format): string {
  if (format === 'csv') return csvRow({ [field]: text });
  return format === 'json' ? `[${jsonRow({ [field]: text })}]` : `${jsonRow({ [field]: text })}\n`;
}

describe('a body that holds no bars', () => {
  it.each([
    ['json', ''],
    ['ndjson', ''],
    ['csv', ''],
    ['json', '[]'],
    ['json', '{"bars":[]}'],
    ['json', ' \r\n'],
    ['ndjson', '\n\r\n \n'],
    ['csv', '\r\n\r\n'],
    ['csv', csvRow().split('\n')[0] ?? ''],
    ['json', '\ufeff'],
    ['ndjson', '\ufeff'],
    ['csv', '\ufeff'],
  ] as const)('is refused as no-bars: %s %j', async (format, body) => {
    expect(await refusal(body, format)).toEqual([422, 'no-bars']);
    expect(await refusal(body, format, '?on_error=skip')).toEqual([422, 'no-bars']);
  });

  it('is refused also without a content type', async () => {
    const answer = await served.service.fetch('/v1/bars', { method: 'POST' });
    expect([answer.status, await answer.json()]).toMatchObject([422, { code: 'no-bars' }]);
  });
});

describe('a body that is not what its content type says', () => {
  it.each([
    '{',
    'nope',
    '[1,]',
    `[${jsonRow()}`,
    jsonRow().slice(0, 60),
    `${jsonRow()}\n${jsonRow()}`,
    `[${jsonRow()},]`,
    `[${jsonRow()}]x`,
    "{'provider':1}",
    '"text"',
    '5',
    'null',
    'true',
    '['.repeat(1_000),
    jsonRow({ symbol: '"A\nB"' }),
    `\ufeff\ufeff${jsonRow()}`,
  ])('is malformed as a whole in JSON: %s', async (body) => {
    expect(await refusal(body, 'json')).toEqual([400, 'malformed-body']);
    expect(await refusal(body, 'json', '?on_error=skip')).toEqual([400, 'malformed-body']);
  });

  it.each([
    '{',
    'nope',
    'null,',
    jsonRow().slice(0, 60),
    `${jsonRow()}${jsonRow()}`,
    `${jsonRow()},`,
    '['.repeat(1_000),
  ])('loses the line in NDJSON: %s', async (line) => {
    const good = '{"provider":"a"}';
    const expected = [
      422,
      'invalid-bars',
      '1 /symbol missing-field',
      '2  malformed-line',
      '3 /symbol missing-field',
    ];
    expect(await refusal(`${good}\n${line}\n${good}`, 'ndjson')).toEqual(expected);
  });

  it.each(['1', '[]', 'null', '"text"', `[${jsonRow()}]`])(
    'loses the line in NDJSON and the element in JSON that is no object: %s',
    async (value) => {
      const expected = [422, 'invalid-bars', '1  not-an-object'];
      expect(await refusal(value, 'ndjson')).toEqual(expected);
      expect(await refusal(`[${value}]`, 'json')).toEqual(expected);
      expect(await refusal(`{"bars":[${value}]}`, 'json')).toEqual(expected);
    },
  );

  it('is malformed with a CSV header that is missing, incomplete, doubled or misquoted', async () => {
    const [header = '', row = ''] = csvRow().split('\n');
    for (const body of [
      row,
      csvRow().replace('close,', ''),
      `${header},close\n${row},2`,
      `"provider${header}\n${row}`,
      `a"b,${header}\n${row}`,
      header.replaceAll(',', ';'),
      jsonRow(),
      ','.repeat(5_000),
    ]) {
      expect(await refusal(body, 'csv')).toEqual([400, 'malformed-body']);
    }
  });

  it('loses the CSV row that is cut in the middle, too long or misquoted', async () => {
    const [header = '', row = ''] = csvRow().split('\n');
    const cut = row.slice(0, row.lastIndexOf(','));
    expect(await refusal(`${header}\n${cut}`, 'csv')).toEqual([422, 'invalid-bars', '1  wrong-field-count']);
    expect(await refusal(`${header}\n${row},1`, 'csv')).toEqual([
      422,
      'invalid-bars',
      '1  wrong-field-count',
    ]);
    expect(await refusal(`${header}\n${row.slice(0, -3)}`, 'csv')).toEqual([
      422,
      'invalid-bars',
      '1 /volume missing-field',
    ]);
    const quoted = row.replace('SPY', '"S"PY');
    expect(await refusal(`${header}\n${quoted}`, 'csv')).toEqual([422, 'invalid-bars', '1  malformed-line']);
    expect(await refusal(`${header}\n"${row}`, 'csv')).toEqual([400, 'malformed-body']);
  });

  it('that is cut in the middle of its last line, with CRLF, stores none of it', async () => {
    const body = `${jsonRow()}\r\n${jsonRow({ symbol: '"QQQ"' }).slice(0, 70)}`;
    expect(await refusal(body, 'ndjson')).toEqual([422, 'invalid-bars', '2  malformed-line']);
  });
});

describe('text that cannot be stored', () => {
  it.each(FORMATS)('is refused in %s: bytes that are not UTF-8, NUL, UTF-16', async (format) => {
    const body = rowWith('symbol', format === 'csv' ? 'S?Y' : '"S?Y"', format);
    const bytes = (...inner: number[]): Uint8Array => {
      const [head = '', tail = ''] = body.split('?');
      return Buffer.concat([Buffer.from(head), Buffer.from(inner), Buffer.from(tail)]);
    };
    for (const bad of [
      bytes(0xff),
      bytes(0xc0, 0x80),
      bytes(0xed, 0xa0, 0x80),
      bytes(0xf5, 0x80, 0x80, 0x80),
      bytes(0xe2, 0x82),
      bytes(0x00),
      Buffer.from(`\ufeff${body}`, 'utf16le'),
    ]) {
      expect(await refusal(bad, format)).toEqual([400, 'malformed-body']);
      expect(await refusal(bad, format, '?on_error=skip')).toEqual([400, 'malformed-body']);
    }
  });

  it.each(['json', 'ndjson'] as const)('is refused in %s when it is written with escapes', async (format) => {
    for (const symbol of [
      '"\\ud800"',
      '"A\\udfffB"',
      '"\\u0000"',
      '"A\\u0000"',
      '"\\n"',
      '"\\u007f"',
      '"\\u00e9"',
    ]) {
      expect(await refusal(rowWith('symbol', symbol, format), format)).toEqual([
        422,
        'invalid-bars',
        '1 /symbol invalid-symbol',
      ]);
    }
  });

  it.each(FORMATS)('is refused in %s: symbols that are too long, spaced or not ASCII', async (format) => {
    for (const symbol of [
      'A'.repeat(65),
      'A'.repeat(10_240),
      'A B',
      ' A',
      'É',
      '🚀',
      'A\tB',
      "'; DROP TABLE bars;--",
    ]) {
      const text = format === 'csv' ? symbol : JSON.stringify(symbol);
      expect(await refusal(rowWith('symbol', text, format), format)).toEqual([
        422,
        'invalid-bars',
        '1 /symbol invalid-symbol',
      ]);
    }
  });

  it.each(FORMATS)('is refused in %s: providers and intervals of another form', async (format) => {
    const quoted = (text: string): string => (format === 'csv' ? text : JSON.stringify(text));
    for (const provider of ['a b', 'a/b', 'é', 'a'.repeat(65), "a'--", '\\N', '*', '%s', '$1']) {
      expect(await refusal(rowWith('provider', quoted(provider), format), format)).toEqual([
        422,
        'invalid-bars',
        '1 /provider invalid-provider',
      ]);
    }
    for (const interval of [
      '1',
      'd',
      '0m',
      '01m',
      '1y',
      '1M',
      '1 d',
      '10000s',
      '-1d',
      '1.5h',
      '\\N',
      "1d'",
    ]) {
      expect(await refusal(rowWith('interval', quoted(interval), format), format)).toEqual([
        422,
        'invalid-bars',
        '1 /interval invalid-interval',
      ]);
    }
  });
});

describe('a number that is none', () => {
  /** In JSON the document is malformed, in NDJSON the line is, in CSV the field is not a number. */
  it.each([
    'NaN',
    '-NaN',
    'Infinity',
    '-Infinity',
    'inf',
    '01.5',
    '-01',
    '1.',
    '.5',
    '+1',
    '0x10',
    '1_000',
    '1e',
    '--1',
    '١',
  ])('is refused: %s', async (text) => {
    expect(await refusal(rowWith('close', text, 'json'), 'json')).toEqual([400, 'malformed-body']);
    expect(await refusal(rowWith('close', text, 'ndjson'), 'ndjson')).toEqual([
      422,
      'invalid-bars',
      '1  malformed-line',
    ]);
    expect(await refusal(rowWith('close', text, 'csv'), 'csv')).toEqual([
      422,
      'invalid-bars',
      '1 /close wrong-type',
    ]);
  });

  it.each(['1e400', '-1e400', '9'.repeat(400)])('is refused as not finite: %s', async (text) => {
    const field = text.startsWith('-') ? 'low' : 'high';
    for (const format of FORMATS) {
      expect(await refusal(rowWith(field, text, format), format)).toEqual([
        422,
        'invalid-bars',
        `1 /${field} not-finite`,
      ]);
    }
  });

  it.each(['"2"', '"NaN"', 'true', '[2]', '{}', '{"$numberDecimal":"2"}'])(
    'is refused for its type in JSON: %s',
    async (text) => {
      for (const format of ['json', 'ndjson'] as const) {
        for (const field of ['open', 'high', 'low', 'close', 'volume']) {
          expect(await refusal(rowWith(field, text, format), format)).toEqual([
            422,
            'invalid-bars',
            `1 /${field} wrong-type`,
          ]);
        }
      }
    },
  );

  it.each(['"2"', ' 2', '2 ', '1,5', 'true', '\\N', '2e', '$2'])('is refused in CSV: %s', async (text) => {
    // A quoted number is the same field to CSV, and so is taken; a comma inside must be quoted to be one field.
    const written = text.includes(',') ? `"${text}"` : text === '"2"' ? '"""2"""' : text;
    expect(await refusal(rowWith('close', written, 'csv'), 'csv')).toEqual([
      422,
      'invalid-bars',
      '1 /close wrong-type',
    ]);
  });
});

describe('a row that lacks a field', () => {
  it.each(['provider', 'symbol', 'interval', 'ts', 'open', 'high', 'low', 'close', 'volume'])(
    'is refused: %s absent, null, empty, or under another name',
    async (field) => {
      const expected = [422, 'invalid-bars', `1 /${field} missing-field`];
      for (const format of ['json', 'ndjson'] as const) {
        for (const text of ['null', '""']) {
          expect(await refusal(rowWith(field, text, format), format)).toEqual(expected);
        }
        const renamed = jsonRow().replace(`"${field}":`, `"${field.toUpperCase()}":`);
        expect(await refusal(renamed, format)).toEqual(expected);
        expect(await refusal(renamed.replace('{', '{"__proto__":{"close":2,"ts":0},'), format)).toEqual(
          expected,
        );
      }
      expect(await refusal(rowWith(field, '', 'csv'), 'csv')).toEqual(expected);
    },
  );
});

describe('prices and volumes that cannot be', () => {
  it.each([
    [{ high: '0.1' }, '/high'],
    [{ high: '1.9' }, '/high'],
    [{ open: '3' }, '/high'],
    [{ open: '0.4' }, '/low'],
    [{ close: '9' }, '/high'],
    [{ close: '-9' }, '/low'],
    [{ low: '1.6' }, '/low'],
    [{ open: '-1', high: '-2', low: '-3', close: '-2.5' }, '/high'],
  ])('are refused: %j', async (fields, pointer) => {
    const expected = [422, 'invalid-bars', `1 ${pointer} prices-inconsistent`];
    expect(await refusal(jsonRow(fields), 'json')).toEqual(expected);
    expect(await refusal(jsonRow(fields), 'ndjson')).toEqual(expected);
    expect(await refusal(csvRow(fields), 'csv')).toEqual(expected);
  });

  it.each(['-1', '-0.001', '-5e-324'])('are refused: volume %s', async (text) => {
    for (const format of FORMATS) {
      expect(await refusal(rowWith('volume', text, format), format)).toEqual([
        422,
        'invalid-bars',
        '1 /volume negative-volume',
      ]);
    }
  });
});

describe('a time that is none', () => {
  it.each([
    ['1767312000000', 'ts-not-in-seconds'],
    ['1767312000000000', 'ts-not-in-seconds'],
    ['1767312000000000000', 'ts-not-in-seconds'],
    ['-1767312000000', 'ts-not-in-seconds'],
    ['7289654400', 'ts-out-of-range'],
    ['-5364662401', 'ts-out-of-range'],
    ['1e300', 'ts-out-of-range'],
    ['1e400', 'not-finite'],
  ])('is refused as epoch seconds: %s %s', async (text, code) => {
    for (const format of FORMATS) {
      expect(await refusal(rowWith('ts', text, format), format)).toEqual([
        422,
        'invalid-bars',
        `1 /ts ${code}`,
      ]);
    }
  });

  it.each([
    ['2026-01-02T00:00:00', 'ts-without-zone'],
    ['2026-01-02T00:00:00.5', 'ts-without-zone'],
    ['2026-01-02 00:00:00', 'invalid-ts'],
    ['2026-01-02 00:00:00Z', 'invalid-ts'],
    ['0000-01-01T00:00:00Z', 'ts-out-of-range'],
    ['0000-01-01', 'ts-out-of-range'],
    ['9999-12-31T23:59:59Z', 'ts-out-of-range'],
    ['9999-12-31', 'ts-out-of-range'],
    ['1799-12-31T23:59:59.999999Z', 'ts-out-of-range'],
    ['2201-01-01', 'ts-out-of-range'],
    ['10000-01-01', 'invalid-ts'],
    ['-001-01-01', 'invalid-ts'],
    ['2026-02-30', 'invalid-ts'],
    ['2026-02-30T00:00:00Z', 'invalid-ts'],
    ['2025-02-29', 'invalid-ts'],
    ['1900-02-29', 'invalid-ts'],
    ['2026-13-01', 'invalid-ts'],
    ['2026-00-10', 'invalid-ts'],
    ['2026-01-32', 'invalid-ts'],
    ['2026-01-02T24:00:00Z', 'invalid-ts'],
    ['2026-01-02T23:60:00Z', 'invalid-ts'],
    ['2026-06-30T23:59:60Z', 'invalid-ts'],
    ['2026-01-02T00:00:00+24:00', 'invalid-ts'],
    ['2026-01-02T00:00:00+0100', 'invalid-ts'],
    ['2026-01-02T00:00:00.1234567Z', 'ts-too-precise'],
    ['20260102', 'invalid-ts'],
    ['2026-1-2', 'invalid-ts'],
    ['01/02/2026', 'invalid-ts'],
    ['now', 'invalid-ts'],
    ['infinity', 'invalid-ts'],
    ['\\N', 'invalid-ts'],
    ["2026-01-02'", 'invalid-ts'],
  ])('is refused as text: %s %s', async (text, code) => {
    // Bare digits are a number in CSV: 1970-08-23 in seconds, which no one can tell from a mistake.
    const formats = /^\d+$/.test(text) ? (['json', 'ndjson'] as const) : FORMATS;
    for (const format of formats) {
      const written = format === 'csv' ? text : JSON.stringify(text);
      expect(await refusal(rowWith('ts', written, format), format)).toEqual([
        422,
        'invalid-bars',
        `1 /ts ${code}`,
      ]);
    }
  });

  it('says what to divide by', async () => {
    const { json } = await served.service.post(jsonRow({ ts: '1767312000000' }));
    expect(json.errors?.[0]?.['detail']).toBe(
      'ts 1767312000000 looks like milliseconds: send seconds, divided by 1,000',
    );
  });
});

describe('many bad rows', () => {
  it('are told of up to 100, with lines that are right for each format', async () => {
    const rows = Array.from({ length: 250 }, (_, at) =>
      jsonRow(at % 2 === 1 ? { volume: '-1' } : { close: '"2"' }),
    );
    for (const [format, body] of [
      ['json', `[${rows.join(',')}]`],
      ['ndjson', rows.join('\n')],
    ] as const) {
      const { status, json } = await served.service.post(body, TYPES[format]);
      expect(status).toBe(422);
      expect(json).toMatchObject({ code: 'invalid-bars', errors_truncated: true });
      expect(json.errors?.map(({ line }) => line)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    }
  });

  it('that leave no good one are refused also with on_error=skip', async () => {
    const { status, json } = await served.service.post('{}\n[]\nx', TYPES.ndjson, '?on_error=skip');
    expect(status).toBe(422);
    expect(json).toMatchObject({ code: 'invalid-bars', rejected: 3, errors_truncated: false });
  });

  it('mixed with good ones store nothing when nothing, or abort, was asked', async () => {
    for (const query of ['', '?on_error=abort', '?ack=stored', '?on_error=abort&ack=durable']) {
      const body = [jsonRow(), jsonRow({ close: '"2"' }), jsonRow({ symbol: '"QQQ"' })];
      const expected = [422, 'invalid-bars', '2 /close wrong-type'];
      expect(await refusal(body.join('\n'), 'ndjson', query)).toEqual(expected);
      expect(await refusal(`[${body.join(',')}]`, 'json', query)).toEqual(expected);
      const csv = `${csvRow()}${csvRow({ close: 'x' }).split('\n')[1]}\n${csvRow({ symbol: 'QQQ' }).split('\n')[1]}\n`;
      expect(await refusal(csv, 'csv', query)).toEqual(expected);
    }
  });
});

describe('a query that is not known', () => {
  it.each([
    '?on_error=ignore',
    '?ack=none',
    '?on_eror=skip',
    '?on_error=skip&on_error=abort',
    '?on_error=',
    '?on_conflict=ignore',
    '?on_conflict=KEEP',
  ])('is refused with its body: %s', async (query) => {
    expect((await refusal(jsonRow(), 'json', query)).slice(0, 2)).toEqual([400, 'invalid-parameter']);
  });
});
