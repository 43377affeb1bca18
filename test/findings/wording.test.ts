import { describe, expect, it } from '@jest/globals';

import { bar, ServedDatabase, TYPES, write } from '../api/api.samples.js';

const served = new ServedDatabase();

interface OpenApi {
  readonly info: { readonly description: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly tags?: readonly string[] }>>>>;
  readonly components: { readonly securitySchemes: { readonly bearer: Readonly<Record<string, string>> } };
}

describe('A12: what the service says of itself', () => {
  it('is true of the answer, the tokens and the tags', async () => {
    const { info, tags, paths, components } = JSON.parse(await served.get('/openapi.json')) as OpenApi;
    expect(info.description).toMatch(/answers when they are safe on disk/);
    expect(components.securitySchemes.bearer).toMatchObject({ bearerFormat: 'opaque' });
    const declared = tags.map(({ name }) => name);
    const used = Object.values(paths).flatMap((path) => Object.values(path).flatMap((one) => one.tags ?? []));
    expect([...new Set(used)].sort()).toEqual([...declared].sort());
  });

  it('does not tell the sender of a GET that nothing was stored', async () => {
    await served.database.query('ALTER TABLE series RENAME TO series_away');
    const answer = await served.service.fetch('/v1/bars?symbols=SPY');
    await served.database.query('ALTER TABLE series_away RENAME TO series');
    const { code, detail } = (await answer.json()) as { code: string; detail: string };
    expect([answer.status, code]).toEqual([503, 'database-unavailable']);
    expect(detail).toBe('The database does not answer; nothing can be read. Come back later.');
  });
});

describe('D4: a body in another form', () => {
  const detailOf = async (body: string, type: string): Promise<[number, string]> => {
    const { status, json } = await served.service.post(body, type);
    return [status, String(json.errors?.[0]?.['detail'] ?? json['detail'])];
  };
  const csv = write([bar()], 'csv');

  it.each([
    ['semicolons', ';'],
    ['tabs', '\t'],
    ['bars (|)', '|'],
  ])('that is separated by %s is told that its header has one column', async (name, separator) => {
    const [status, detail] = await detailOf(csv.replaceAll(',', separator), TYPES.csv);
    expect(status).toBe(400);
    expect(detail).toContain('It has one column, "provider');
    expect(detail).toContain(`seems to be separated by ${name}: separate by commas.`);
  });

  it('that begins with something else than a header is told what was read as one', async () => {
    const [status, detail] = await detailOf(`https://www.example.com\n${csv}`, TYPES.csv);
    expect([status, detail]).toEqual([
      400,
      expect.stringContaining('It has one column, "https://www.example.com".'),
    ]);
  });

  it('that curl sent with -d is told of --data-binary, with its type and without', async () => {
    for (const [type, body] of [
      ['application/x-www-form-urlencoded', csv],
      [TYPES.csv, csv.replaceAll('\n', '')],
      [TYPES.ndjson, write([bar(), bar({ symbol: 'QQQ' })], 'ndjson').replaceAll('\n', '')],
    ] as const) {
      const [status, detail] = await detailOf(body, type);
      expect([type, status, detail]).toEqual([
        ...[type, expect.any(Number), expect.stringMatching(/-d\b.*--data-binary|--data-binary.*-d\b/)],
      ]);
    }
  });

  it('with an object in "bars" is told what is taken there', async () => {
    const { status, json } = await served.service.post('{"bars":{"AAPL":[]}}', TYPES.json);
    expect([status, json.errors, json['ignored_fields']]).toEqual([
      422,
      [
        {
          line: 1,
          pointer: '/provider',
          code: 'missing-field',
          detail:
            'provider is missing: "bars" is an object, and taken for rows only when it is an array of them',
        },
      ],
      ['bars'],
    ]);
    const [, detail] = await detailOf(write([bar()], 'json').replace(/.*/, '{"bars":$&}'), TYPES.ndjson);
    expect(detail).toMatch(
      /an array of rows in "bars" is taken only as the whole body, as application\/json/,
    );
  });
});

describe('D4: a bound whose + became a blank', () => {
  it('is told its value and how a + is written in a URL', async () => {
    const answer = await served.service.fetch('/v1/bars?start=2024-01-02T00:00:00+02:00');
    const { detail } = (await answer.json()) as { detail: string };
    expect([answer.status, detail]).toEqual([
      400,
      expect.stringContaining('start "2024-01-02T00:00:00 02:00" has a blank where an offset begins'),
    ]);
  });
});
