import fc from 'fast-check';

import type { BodyFormat } from '../../src/bars/decode/bars.decoder.js';
import { ROW_FIELDS } from '../../src/bars/decode/row.fields.js';

const digits = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.nat(9).map(String), minLength, maxLength });

/** Any text of the JSON number grammar. */
export const numberText = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(
      fc.constant('0'),
      fc.tuple(fc.integer({ min: 1, max: 9 }), digits(0, 24)).map((parts) => parts.join('')),
    ),
    fc.oneof(
      fc.constant(''),
      digits(1, 25).map((text) => `.${text}`),
    ),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom('e', 'E', 'e+', 'E-'), fc.integer({ min: 0, max: 330 }))
          .map((parts) => parts.join('')),
      },
    ),
  )
  .map((parts) => parts.join(''));

const usualNumber = fc.tuple(fc.nat(99_999), digits(1, 4)).map((parts) => parts.join('.'));
const anyDouble = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((value) => (Object.is(value, -0) ? '-0' : String(value)));
const price = fc.oneof(
  { weight: 4, arbitrary: usualNumber },
  { weight: 1, arbitrary: anyDouble },
  { weight: 1, arbitrary: numberText },
);

const provider = fc.constantFrom('ibkr', 'ibkr', 'ibkr', 'ibkr', 'a', 'A-z_0.9', 'p'.repeat(64));
const symbol = fc.constantFrom(
  'SPY',
  'SPY',
  'spy',
  'spy',
  'Spy',
  'QQQ',
  'BTC/USD',
  "A';--",
  '^GSPC',
  '~!',
  's'.repeat(64),
);
const interval = fc.constantFrom('1m', '1m', '5m', '5min', '1mo', '9999s');
const usualTs = fc
  .tuple(fc.nat(3), fc.nat(1439))
  .map(([day, minute]) => new Date(1_709_164_800_000 + (day * 1440 + minute) * 60_000).toISOString());
const ts = fc.oneof(
  { weight: 3, arbitrary: usualTs.map((text) => `${text.slice(0, 19)}Z`) },
  {
    weight: 1,
    arbitrary: fc.tuple(usualTs, digits(0, 7)).map(([text, part]) => `${text.slice(0, 20)}${part}Z`),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(usualTs, fc.constantFrom('+00:00', '-05:30', 'z', '', '+24:00', ' Z'))
      .map(([text, zone]) => text.slice(0, 19) + zone),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '2024-02-29',
      '2023-02-29',
      '1800-01-01T00:00:00Z',
      '1799-12-31T23:59:59.999999Z',
      '2200-12-31T23:59:59.999999Z',
      '2201-01-01',
      '2024-03-01t10:00:00z',
      '2024-03-01T24:00:00Z',
      '0000-01-01',
    ),
  },
);
const epoch = fc.oneof(
  fc.integer({ min: 1_709_164_800, max: 1_709_164_900 }).map(String),
  fc.constantFrom('1709164800.000001', '-5364662400', '-5364662400.1', '7289654399.999999', '7289654400'),
  fc.constantFrom('1709164800000', '1e9', '1.7091648e9', '-0', '20240229'),
);

/** Values that are unusual or wrong, as JSON writes them. */
const oddValue = fc.oneof(
  fc.constantFrom('null', 'true', '""', '[]', '{}', '"x y"', '"\\u0041"', '"é"', '"S\\"P"', '"a,b"', '"-1"'),
  fc.constantFrom(
    '1.',
    '.5',
    '+1',
    '01',
    '-',
    '1e',
    '1e400',
    '-1',
    '-0',
    '-0.0',
    '5e-324',
    '1E5',
    'NaN',
    '0x1',
  ),
  numberText,
);

interface Row {
  readonly members: readonly (readonly [string, string])[];
  readonly blanks: readonly string[];
}

const extra = fc.tuple(
  fc.constantFrom(
    'vwap',
    'note',
    'close',
    'ts',
    'symbol',
    '',
    '__proto__',
    'clos\\u0065',
    'bars',
    'é',
    'opens',
    '7',
  ),
  fc.oneof(
    fc.constantFrom(
      '1',
      '"x"',
      'true',
      'nul',
      '[1,{"a":"]"}]',
      '{"close":1}',
      '"\\n"',
      '"€"',
      '[',
      '"S"',
      '-1.5e3',
    ),
    oddValue,
  ),
);
const rarely = <T>(arbitrary: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, { weight, arbitrary });

/** A row that is mostly good: its prices are equal or further apart on the right side. */
const row: fc.Arbitrary<Row> = fc
  .tuple(
    fc.tuple(
      provider,
      symbol,
      interval,
      fc.oneof(
        ts.map((text) => `"${text}"`),
        epoch,
      ),
    ),
    fc.tuple(price, fc.boolean(), fc.oneof(usualNumber, fc.constantFrom('0', '1000000', '1e6'))),
    rarely(fc.shuffledSubarray([...ROW_FIELDS.keys()], { minLength: 9 }), 6),
    rarely(fc.tuple(fc.nat(8), oddValue)),
    rarely(fc.tuple(fc.nat(9), extra)),
    rarely(fc.array(fc.constantFrom('', ' ', '\t', '  ', '\r', '\n'), { minLength: 1, maxLength: 7 })),
  )
  .map(([[provider, symbol, interval, ts], [price, wide, volume], order, odd, extra, blanks]) => {
    const high = wide ? String(Number(price) + 1.25) : price;
    const low = wide ? String(Number(price) - 0.75) : price;
    const texts = [provider, symbol, interval].map((text) => `"${text}"`);
    const values = [...texts, ts, price, high, low, price, volume];
    if (odd !== null) values[odd[0]] = odd[1];
    const fields = order ?? [...ROW_FIELDS.keys()];
    const members = fields.map((field): [string, string] => [ROW_FIELDS[field] ?? '', values[field] ?? '']);
    if (extra !== null) members.splice(extra[0], 0, extra[1]);
    return { members, blanks: blanks ?? [''] };
  });

function jsonOf({ members, blanks }: Row): string {
  let next = 0;
  const blank = (): string => blanks[next++ % blanks.length] ?? '';
  const texts = members.map(([key, value]) => `${blank()}"${key}"${blank()}:${blank()}${value}${blank()}`);
  return `${blank()}{${texts.join(',')}}${blank()}`;
}

/** The row, written as another is. */
function writtenAs({ members, blanks }: Row, row: Row): Row {
  const values = new Map(row.members);
  return { blanks, members: members.map(([key, value]) => [key, values.get(key) ?? value]) };
}

/** Each in its own way, or all as the first. */
const rows = fc
  .tuple(fc.array(row, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([rows, alike]) => (alike ? rows.map((one) => writtenAs(rows[0] ?? one, one)) : rows));
const between = fc.constantFrom('\n', '\n', '\r\n', '\n\n', '\n \t\n', ' \n', 'x\n', ',\n');
const ndjson = fc
  .tuple(rows, between, fc.boolean())
  .map(([rows, end, last]) => rows.map(jsonOf).join(end) + (last ? end : ''));
const around = fc.constantFrom(
  ['[', ']'],
  ['[', ']'],
  ['{"bars":[', ']}'],
  ['{"bars":[', '],"n":1}'],
  ['\n{ "bars" : [', '] }\n'],
  ['{"bars":[', '],"bars":[]}'],
  ['{"bars":[', '],"b\\u0061rs":1}'],
  ['{"bars":[', '].5}'],
  ['{"n":[],"bars":[', ']}'],
  ['[[],', ']'],
  ['[', ',7]'],
  ['[', ''],
  ['', ''],
);
const json = fc
  .tuple(rows, around)
  .map(([rows, [before = '', after = '']]) => before + rows.map(jsonOf).join(',') + after);

type Quoting = 'bare' | 'quoted' | 'unclosed' | 'beside' | 'inside';

/** A value as a CSV field. */
function csvField(value: string, quoting: Quoting): string {
  const text = value.startsWith('"') && value.length > 1 ? value.slice(1, -1) : value;
  const written: Record<Quoting, string> = {
    bare: text,
    quoted: `"${text}"`,
    unclosed: `"${text} `,
    beside: `"${text}"x`,
    inside: `${text}"`,
  };
  return written[quoting];
}

const quoting: fc.Arbitrary<Quoting> = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom<Quoting[]>('bare', 'bare', 'quoted') },
  { weight: 1, arbitrary: fc.constantFrom<Quoting[]>('unclosed', 'beside', 'inside') },
);
const csv = fc
  .tuple(
    rows,
    fc.shuffledSubarray([...ROW_FIELDS, 'note'], { minLength: 9 }),
    fc.constantFrom('\n', '\n', '\r\n', '\n\n', '\r\n\r\n', '\r'),
    fc.array(quoting, { minLength: 1, maxLength: 5 }),
    fc.boolean(),
  )
  .map(([rows, header, end, quotes, last]) => {
    let next = 0;
    const quoting = (): Quoting => quotes[next++ % quotes.length] ?? 'bare';
    const lines = rows.map(({ members, blanks }) => {
      const values = new Map(members);
      const fields = header.map((name) => csvField(values.get(name) ?? 'x', quoting()));
      return fields.join(blanks.length === 3 ? `${blanks[0] ?? ''},` : ',');
    });
    return [header.join(','), ...lines].join(end) + (last ? end : '');
  });

const BODIES: Record<BodyFormat, fc.Arbitrary<string>> = { ndjson, json, csv };

const mutation = fc.tuple(
  fc.nat(),
  fc.constantFrom('replace', 'insert', 'delete', 'double'),
  fc.oneof(
    fc.constantFrom(...Buffer.from('{}[]",:\\\n\r\t 0159.-+eETZz\0\x7f\x80\xff', 'latin1')),
    fc.nat(255),
  ),
);

/** The bytes of a body of the format: good, nearly good, and damaged in up to three places. */
export function bodyOf(format: BodyFormat): fc.Arbitrary<Buffer> {
  return fc
    .tuple(BODIES[format], rarely(fc.array(mutation, { minLength: 1, maxLength: 3 }), 5))
    .map(([text, mutations]) => {
      const bytes = [...Buffer.from(text)];
      for (const [place, kind, byte] of mutations ?? []) {
        const at = place % (bytes.length + 1);
        if (kind === 'double') bytes.splice(at, 0, ...bytes.slice(Math.max(0, at - 1 - (byte % 40)), at));
        else bytes.splice(at, kind === 'insert' ? 0 : 1, ...(kind === 'delete' ? [] : [byte]));
      }
      return Buffer.from(bytes);
    });
}
