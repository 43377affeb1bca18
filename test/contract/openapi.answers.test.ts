import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';

import { createDatabase, type TestDatabase } from '../support/database.js';
import { startService, TOKENS, type TestRequest, type TestService } from '../support/service.js';
import { examplesOf, operationsOf, type OpenApiDocument, type PlacedOperation } from './openapi.document.js';

// Formats and `example` are for people; in strict mode Ajv refuses what it does not know.
const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });

let database: TestDatabase;
let service: TestService;
let operations: PlacedOperation[];

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({ DATABASE_URL: database.url });
  const answer = await fetch(`${service.url}/openapi.json`);
  const document = (await answer.json()) as OpenApiDocument;
  ajv.addSchema({ components: document.components }, 'openapi.json');
  operations = operationsOf(document);
});

afterAll(async () => {
  await service.stop();
  await database.drop();
});

/** What is wrong with a value for a schema of the document. */
function faults(schema: object | false, value: unknown): string[] {
  const placed = JSON.stringify(schema).replaceAll('"#/', '"openapi.json#/');
  const validate = ajv.compile(JSON.parse(placed) as object);
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message = '' }) => `${instancePath} ${message}`);
}

describe('the service keeps to the document', () => {
  /** Asks, and checks status, content type, headers and body against what the document says. */
  async function ask(operation: PlacedOperation, path: string, init: TestRequest = {}): Promise<number> {
    const answer = await fetch(`${service.url}${path}`, {
      ...init,
      method: operation.method,
      headers: { authorization: `Bearer ${TOKENS.admin}`, ...init.headers },
    });
    const body = await answer.text();
    const documented = operation.responses[String(answer.status)];
    expect([answer.status, documented !== undefined, body]).toEqual([answer.status, true, body]);
    for (const header of Object.keys(documented?.headers ?? {})) {
      if (header !== 'X-Next-Page-Token')
        expect([header, answer.headers.get(header)]).toEqual([header, expect.any(String)]);
    }
    const type = answer.headers.get('content-type')?.split(';', 1)[0] ?? '';
    const content = documented?.content?.[type];
    expect([type, content !== undefined]).toEqual([type, true]);
    const value: unknown = type.endsWith('json') && !type.endsWith('ndjson') ? JSON.parse(body) : body;
    expect(faults(content?.schema ?? false, value)).toEqual([]);
    return answer.status;
  }

  const operation = (id: string): PlacedOperation => {
    const found = operations.find(({ operationId }) => operationId === id);
    if (found === undefined) throw new Error(`there is no operation ${id}`);
    return found;
  };

  it('takes every example of a body as it stands', async () => {
    const contents = Object.entries(operation('postBars').requestBody?.content ?? {});
    expect(contents.map(([type]) => type)).toEqual(['application/json', 'application/x-ndjson', 'text/csv']);
    for (const [type, content] of contents) {
      for (const example of examplesOf(content)) {
        const body = typeof example === 'string' ? example : JSON.stringify(example);
        await expect(
          ask(operation('postBars'), '/v1/bars', { body, headers: { 'content-type': type } }),
        ).resolves.toBe(202);
        await expect(
          ask(operation('postBars'), '/v1/bars?ack=stored', { body, headers: { 'content-type': type } }),
        ).resolves.toBe(200);
      }
    }
  });

  it('answers every question in the form that is documented', async () => {
    // A stream has no end to wait for; test/feedback reads it.
    const finite = operations.filter(({ method, path }) => method === 'GET' && !path.endsWith('/stream'));
    for (const one of finite) {
      const path = one.path.replace('{name}', 'telemetry.FeedbackEvent').replace('{id}', '1-1-0');
      // Nothing was refused here: test/api/dead-letters.test.ts reads a record.
      await expect(ask(one, path)).resolves.toBe(one.path.endsWith('{id}') ? 404 : 200);
    }
    await expect(ask(operation('getBars'), '/v1/bars?format=csv&limit=1')).resolves.toBe(200);
    await expect(ask(operation('getBars'), '/v1/bars?format=ndjson')).resolves.toBe(200);
    await expect(ask(operation('getReadyz'), '/readyz?verbose')).resolves.toBe(200);
  });

  it('takes the examples of query parameters together, and finds the bar of the other examples', async () => {
    const { parameters } = operation('getBars');
    const query = new URLSearchParams();
    for (const { name, schema } of parameters) {
      const { example } = schema as { example?: string };
      if (example !== undefined) query.set(name, example);
    }
    expect([...query.keys()]).toEqual(['symbols', 'provider', 'interval', 'start', 'end']);
    const answer = await service.fetch(`/v1/bars?${query.toString()}`);
    expect(((await answer.json()) as { bars: unknown[] }).bars).toHaveLength(1);
  });

  it('refuses in the form that is documented', async () => {
    const post = (body: string, type: string, query = '', headers: Record<string, string> = {}) =>
      ask(operation('postBars'), `/v1/bars${query}`, { body, headers: { 'content-type': type, ...headers } });
    await expect(post('{', 'application/json')).resolves.toBe(400);
    await expect(post('[]', 'application/json', '?ack=never')).resolves.toBe(400);
    await expect(post('[]', 'application/json', '', { authorization: 'Bearer x' })).resolves.toBe(401);
    const reader = { authorization: `Bearer ${TOKENS.read}` };
    await expect(post('[]', 'application/json', '', reader)).resolves.toBe(403);
    await expect(post('x', 'text/html')).resolves.toBe(415);
    await expect(post('[]', 'application/json')).resolves.toBe(422);
    await expect(post('[{"provider":"a"}]', 'application/json')).resolves.toBe(422);
    await expect(ask(operation('getBars'), '/v1/bars?limit=0')).resolves.toBe(400);
    await expect(ask(operation('getSeries'), '/v1/series?symbol=A')).resolves.toBe(400);
  });

  it('refuses an address that is no valid URL as every other fault', async () => {
    const answer = await service.fetch('/v1/bars/%ZZ', { headers: { 'x-request-id': 'mine' } });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.headers.get('x-request-id')).toBe('mine');
    const problem: unknown = await answer.json();
    expect(faults({ $ref: '#/components/schemas/Problem' }, problem)).toEqual([]);
    expect(problem).toMatchObject({ code: 'bad-request', request_id: 'mine' });
  });
});
