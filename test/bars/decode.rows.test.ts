import { describe, expect, it } from '@jest/globals';
import { ROW_ERROR_CODES, type RowErrorCode } from '../../src/bars/decode/row-error.codes.js';
import { ROW_FIELDS } from '../../src/bars/decode/row.fields.js';
import { parseSeriesName } from '../../src/bars/series.key.js';
import { barsOf, csvRow, decodeText, jsonRow } from './decode.samples.js';

/** One bad row of each kind, as NDJSON or, where only CSV has it, as CSV. */
const EXAMPLES: Record<RowErrorCode, { readonly body: string; readonly pointer: string }> = {
  'malformed-line': { body: '{"provider":', pointer: '' },
  'not-an-object': { body: '[]', pointer: '' },
  'wrong-field-count': { body: `${csvRow()}x`, pointer: '' },
  'missing-field': { body: '{}', pointer: '/provider' },
  'wrong-type': { body: jsonRow({ open: '"1.5"' }), pointer: '/open' },
  'invalid-provider': { body: jsonRow({ provider: '"a b"' }), pointer: '/provider' },
  'invalid-symbol': { body: jsonRow({ symbol: '"a b"' }), pointer: '/symbol' },
  'symbol-case-conflict': {
    body: `${jsonRow()}\n${jsonRow({ symbol: '"spy"', ts: '"2024-01-03"' })}`,
    pointer: '/symbol',
  },
  'invalid-interval': { body: jsonRow({ interval: '"1y"' }), pointer: '/interval' },
  'invalid-ts': { body: jsonRow({ ts: '"2024-02-30"' }), pointer: '/ts' },
  'ts-without-zone': { body: jsonRow({ ts: '"2024-01-02T14:30:00"' }), pointer: '/ts' },
  'ts-too-precise': { body: jsonRow({ ts: '"2024-01-02T14:30:00.0000001Z"' }), pointer: '/ts' },
  'ts-calendar-date': { body: jsonRow({ ts: '20240102' }), pointer: '/ts' },
  'ts-not-in-seconds': { body: jsonRow({ ts: '1704153600000' }), pointer: '/ts' },
  'ts-out-of-range': { body: jsonRow({ ts: '"9999-12-31"' }), pointer: '/ts' },
  'not-finite': { body: jsonRow({ high: '1e400' }), pointer: '/high' },
  'negative-volume': { body: jsonRow({ volume: '-1' }), pointer: '/volume' },
  'prices-inconsistent': { body: jsonRow({ high: '1.75' }), pointer: '/high' },
};

function firstError(body: string): { pointer: string; code: string; detail: string } | undefined {
  return decodeText(body, body.startsWith('provider,') ? 'csv' : 'ndjson').errors[0];
}

function jsonCode(members: Record<string, string>): string {
  const error = firstError(jsonRow(members));
  return error === undefined ? 'accepted' : `${error.pointer} ${error.code}`;
}

function csvCode(texts: Record<string, string>): string {
  const error = firstError(csvRow(texts));
  return error === undefined ? 'accepted' : `${error.pointer} ${error.code}`;
}

describe('the errors of a row', () => {
  it.each(Object.entries(EXAMPLES))('have the code %s', (code, { body, pointer }) => {
    expect(firstError(body)).toMatchObject({ pointer, code });
  });

  it('have kebab-case codes, each explained in one sentence', () => {
    for (const [code, explanation] of Object.entries(ROW_ERROR_CODES)) {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(explanation).toMatch(/^[A-Z][^\n]*\.$/);
    }
  });

  it('tell of the first bad field, whatever is wrong with those after it', () => {
    const bad: Record<string, string> = {
      provider: '""',
      symbol: '"\\u0000"',
      interval: '"1y"',
      ts: '1e12',
      open: '"1"',
      high: 'null',
      low: '1e999',
      close: 'true',
      volume: '-1',
    };
    ROW_FIELDS.forEach((field, index) => {
      const members = Object.fromEntries(ROW_FIELDS.slice(index).map((name) => [name, bad[name] ?? '']));
      expect(firstError(jsonRow(members))?.pointer).toBe(`/${field}`);
    });
    expect(jsonCode({ high: '0', volume: '-1' })).toBe('/volume negative-volume');
  });

  it.each(ROW_FIELDS)('call an absent, null or empty %s missing', (field) => {
    const absent = jsonRow().replace(`"${field}"`, `"not_${field}"`);
    for (const body of [
      absent,
      jsonRow({ [field]: 'null' }),
      jsonRow({ [field]: '""' }),
      csvRow({ [field]: '' }),
    ]) {
      expect(firstError(body)).toMatchObject({
        pointer: `/${field}`,
        code: 'missing-field',
        detail: `${field} is missing`,
      });
    }
  });

  it.each(ROW_FIELDS)('refuse a %s of another JSON type', (field) => {
    for (const value of ['true', '[]', '{"a":1}']) {
      expect(jsonCode({ [field]: value })).toBe(`/${field} wrong-type`);
    }
  });

  it.each(['provider', 'symbol', 'interval'])('refuse a number as %s', (field) => {
    expect(jsonCode({ [field]: '5' })).toBe(`/${field} wrong-type`);
  });

  it('name the value, escaped and shortened to 64 characters', () => {
    expect(firstError(jsonRow({ symbol: '"a\\u0000\\ud800\\u202e\\n"' }))?.detail).toContain(
      '"a\\u0000\\ud800\\u202e\\n"',
    );
    expect(firstError(jsonRow({ symbol: `"${'x'.repeat(64)}"` }))).toBeUndefined();
    expect(firstError(jsonRow({ symbol: `"${'x'.repeat(10_240)}"` }))?.detail).toContain(
      `"${'x'.repeat(63)}…"`,
    );
    expect(firstError(jsonRow({ symbol: `"${'\\u0000'.repeat(64)}"` }))?.detail).toContain(
      `"${'\\u0000'.repeat(10)}…"`,
    );
    expect(firstError(jsonRow({ open: '"+1"' }))?.detail).toBe('open must be a JSON number, not "+1"');
    expect(firstError(jsonRow({ open: '{}' }))?.detail).toBe('open must be a JSON number, not an object');
  });
});

describe('a provider', () => {
  it.each(['ibkr', 'A-z_0.9', 'x'.repeat(64)])('may be %s', (provider) => {
    expect(jsonCode({ provider: JSON.stringify(provider) })).toBe('accepted');
  });

  it.each(['a b', 'a/b', 'é', 'x'.repeat(65), 'a\n', ' a'])('may not be %j', (provider) => {
    expect(jsonCode({ provider: JSON.stringify(provider) })).toBe('/provider invalid-provider');
  });
});

describe('a symbol', () => {
  it.each([
    'BTC/USD',
    'BRK.B',
    '^GSPC',
    'ES=F',
    'O:SPY251219C00650000',
    "A';DROP--",
    '\\N',
    '\\.',
    '$1',
    '"',
    '~!',
  ])('may be %s, in JSON and CSV alike', (symbol) => {
    const quoted = `"${symbol.replaceAll('"', '""')}"`;
    for (const result of [
      decodeText(jsonRow({ symbol: JSON.stringify(symbol) }), 'ndjson'),
      decodeText(csvRow({ symbol: quoted }), 'csv'),
    ]) {
      expect(barsOf(result.batch)[0]?.symbol).toBe(symbol.toUpperCase());
    }
  });

  it('is stored in upper case', () => {
    expect(barsOf(decodeText(jsonRow({ symbol: '"brk.b"' }), 'ndjson').batch)[0]?.symbol).toBe('BRK.B');
  });

  it.each([
    '"a b"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"é"',
    '"ß"',
    '"ı"',
    '"\\u007f"',
    '"A\\n"',
    `"${'x'.repeat(10_240)}"`,
  ])('may not be %s', (symbol) => {
    expect(jsonCode({ symbol })).toBe('/symbol invalid-symbol');
  });

  it('is checked again after a bad one', () => {
    const text = ['"A"', '"a b"', '"a b"', '"A"'].map((symbol) => jsonRow({ symbol })).join('\n');
    expect(decodeText(text, 'ndjson').errors.map((error) => error.line)).toEqual([2, 3]);
  });
});

describe('an interval', () => {
  it('is stored as 5m when sent as 5min', () => {
    const text = ['5m', '5min', '60m'].map((interval) => jsonRow({ interval: `"${interval}"` })).join('\n');
    expect(decodeText(text, 'ndjson').batch?.series.map((name) => parseSeriesName(name).interval)).toEqual([
      '5m',
      '60m',
    ]);
  });
});

describe('a ts', () => {
  it.each(['"1704153600"', '"2024-02-30"', '"0000-00-00"', '"2024-01-02 00:00:00Z"'])(
    'may not be %s in JSON',
    (ts) => {
      expect(jsonCode({ ts })).toBe('/ts invalid-ts');
    },
  );

  it.each([
    ['1704153600000', 'milliseconds'],
    ['1704153600000000', 'microseconds'],
    ['1704153600000000000', 'nanoseconds'],
  ])('of %s is refused with the hint %s, in JSON and CSV', (ts, unit) => {
    for (const body of [jsonRow({ ts }), csvRow({ ts })]) {
      const error = firstError(body);
      expect(error).toMatchObject({ pointer: '/ts', code: 'ts-not-in-seconds' });
      expect(error?.detail).toContain(`${ts} looks like ${unit}`);
    }
  });

  it.each([
    ['"0000-01-01T00:00:00Z"', 'ts-out-of-range'],
    ['253402300799', 'ts-out-of-range'],
    ['1e400', 'not-finite'],
  ])('of %s is refused as %s', (ts, code) => {
    expect(jsonCode({ ts })).toBe(`/ts ${code}`);
  });

  it('may be in 1962 and in 2199', () => {
    const text = ['"1962-01-02"', '"2199-12-31"'].map((ts) => jsonRow({ ts })).join('\n');
    expect(decodeText(text, 'ndjson').batch?.years).toEqual(new Set([1962, 2199]));
  });
});

describe('the prices', () => {
  it.each([
    [{ open: '-40', high: '-37.63', low: '-40.32', close: '-37.63' }, 'accepted'],
    [{ open: '1', high: '1', low: '1', close: '1', volume: '0' }, 'accepted'],
    [{ volume: '-0' }, 'accepted'],
    [{ high: '0.25', low: '0.5' }, '/high prices-inconsistent'],
    [{ high: '1.9' }, '/high prices-inconsistent'],
    [{ open: '3' }, '/high prices-inconsistent'],
    [{ open: '0.25' }, '/low prices-inconsistent'],
    [{ low: '1.75' }, '/low prices-inconsistent'],
    [{ volume: '-0.5' }, '/volume negative-volume'],
  ])('%j are %s, in JSON and CSV', (members, expected) => {
    expect(jsonCode(members)).toBe(expected);
    expect(csvCode(members)).toBe(expected);
  });
});

describe('the keys of a JSON row', () => {
  it('may come twice: the last one counts', () => {
    const { batch } = decodeText(jsonRow().replace('{', '{"close":"x","close":1,'), 'ndjson');
    expect(barsOf(batch)[0]?.prices[3]).toBe(2);
    expect(firstError(jsonRow().replace('}', ',"close":"x"}'))).toMatchObject({
      pointer: '/close',
      code: 'wrong-type',
    });
  });

  it('cannot supply fields through a prototype', () => {
    expect(jsonCode({ __proto__null: '1', ['__proto__']: '{"close":9}' })).toBe('accepted');
    const inherited = jsonRow().replace('"close":2', '"__proto__":{"close":2}');
    expect(firstError(inherited)).toMatchObject({ pointer: '/close', code: 'missing-field' });
    expect(firstError(`{"__proto__":${jsonRow()}}`)).toMatchObject({
      pointer: '/provider',
      code: 'missing-field',
    });
    expect(Object.prototype).not.toHaveProperty('close');
  });

  it('count only when they are its own, even beside a polluted prototype', () => {
    Object.defineProperty(Object.prototype, 'volume', { value: 5, configurable: true });
    try {
      expect(firstError(jsonRow().replace('"volume"', '"other"'))).toMatchObject({ code: 'missing-field' });
    } finally {
      Reflect.deleteProperty(Object.prototype, 'volume');
    }
  });
});
