import vm from 'node:vm';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createDatabase, type TestDatabase } from '../support/database.js';
import { startService, type TestService } from '../support/service.js';

let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({ DATABASE_URL: database.url });
});

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

  it('may run and load only what the service gives it, and has nothing in it that such a policy forbids', async () => {
    const answer = await fetch(`${service.url}/docs`);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; /);
    expect(policy).not.toMatch(/unsafe|\*/);
    const html = await answer.text();
    expect(html).not.toMatch(/<style| style=| on\w+=|javascript:/i);
    for (const [, script] of html.matchAll(/<script[^>]*>([^]*?)<\/script>/g)) expect(script).toBe('');
  });

  it('shows the document of /openapi.json, and asks no other host to judge it', async () => {
    const script = await (await fetch(`${service.url}/docs/page.js`)).text();
    expect(script).toContain("new URL('../openapi.json', document.currentScript.src)");
    expect(script).toContain("validatorUrl: 'none'");
  });

  it('keeps the token for the tab, and not on the disk of the machine', async () => {
    const script = await (await fetch(`${service.url}/docs/page.js`)).text();
    expect(script).toContain('sessionStorage');
    expect(script).not.toMatch(/localStorage|persistAuthorization:/);
  });

  it('offers lines of NDJSON as they are, not in quotes', async () => {
    const script = await (await fetch(`${service.url}/docs/page.js`)).text();
    const bundle = await (await fetch(`${service.url}/docs/swagger-ui-bundle.js`)).text();
    const seen = vm.runInNewContext(
      `const seen = [];
      const document = { documentElement: { classList: { toggle() {} } }, currentScript: { src: 'http://x/docs/page.js' } };
      const matchMedia = () => ({ matches: false });
      const SwaggerUIBundle = ({ plugins }) => {
        const system = { fn: { getSampleSchema: (...given) => seen.push(given) } };
        for (const plugin of plugins) plugin.afterLoad?.call(system);
        system.fn.getSampleSchema({}, 'application/x-ndjson', {}, 'line');
        system.fn.getSampleSchema({}, 'application/json', {}, 'text');
      };
      ${script};
      seen`,
      { URL },
    ) as unknown;
    expect(JSON.parse(JSON.stringify(seen))).toEqual([
      [{}, 'text/plain', {}, 'line'],
      [{}, 'application/json', {}, 'text'],
    ]);
    // What the page relies on is there.
    expect(bundle).toMatch(/getSampleSchema\b/);
    expect(bundle).toMatch(/\bafterLoad\b/);
  });

  it('gives nothing else of Swagger UI away', async () => {
    for (const file of ['index.html', 'swagger-ui.css.map', 'package.json', '..%2Fpackage.json'])
      expect([file, (await fetch(`${service.url}/docs/${file}`)).status]).toEqual([file, 404]);
  });
});
