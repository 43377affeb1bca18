import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createDatabase, type TestDatabase } from '../support/database.js';
import { startService, type TestService } from '../support/service.js';

let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({ DATABASE_URL: database.url });
}, 60_000);

afterAll(async () => {
  await service.stop();
  await database.drop();
});

/** Everything that a page loads. */
function assetsOf(html: string): string[] {
  return [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, address = '']) => address);
}

describe('the page at /docs', () => {
  it.each(['/docs', '/docs/'])(
    '%s is the Swagger UI, to anyone, with all it needs from the service itself',
    async (path) => {
      const answer = await fetch(`${service.url}${path}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
      const html = await answer.text();
      expect(html).toContain('<title>market-data-store</title>');
      expect(html).toContain('id="swagger-ui"');

      const assets = assetsOf(html);
      expect(assets.length).toBeGreaterThan(3);
      for (const asset of assets) {
        const address = new URL(asset, `${service.url}${path}`);
        expect([asset, address.origin]).toEqual([asset, service.url]);
        const loaded = await fetch(address);
        expect([asset, loaded.status, (await loaded.arrayBuffer()).byteLength > 100]).toEqual([
          asset,
          200,
          true,
        ]);
      }
    },
  );

  it('shows the document of /openapi.json, keeps the token, and asks no other host to judge the document', async () => {
    const document = await (await fetch(`${service.url}/openapi.json`)).text();
    const script = await (await fetch(`${service.url}/docs/swagger-ui-init.js`)).text();
    const [, shown = ''] = /let options = (\{[^]*?\n\});/.exec(script) ?? [];
    const options = JSON.parse(shown) as { swaggerDoc: unknown; customOptions: Record<string, unknown> };
    expect(options.swaggerDoc).toEqual(JSON.parse(document));
    expect(options.customOptions).toMatchObject({ persistAuthorization: true, validatorUrl: 'none' });
  });
});
