import { describe, expect, it } from '@jest/globals';

import { ServedDatabase } from '../api/api.samples.js';

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
