import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createConfig, lintFromString } from '@redocly/openapi-core';

import { PROBLEMS } from '../../src/http/problem.catalogue.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { startService, TOKENS, type TestService } from '../support/service.js';
import { examplesOf, operationsOf, type OpenApiDocument, type PlacedOperation } from './openapi.document.js';

let database: TestDatabase;
let service: TestService;
let text: string;
let document: OpenApiDocument;
let operations: PlacedOperation[];

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({ DATABASE_URL: database.url });
  const answer = await fetch(`${service.url}/openapi.json`);
  expect(answer.status).toBe(200);
  text = await answer.text();
  document = JSON.parse(text) as OpenApiDocument;
  operations = operationsOf(document);
});

afterAll(async () => {
  await service.stop();
  await database.drop();
});

const named = ({ method, path }: PlacedOperation) => `${method} ${path}`;

describe('the document', () => {
  it('is accepted by the recommended rules of Redocly, every one of them, without a warning', async () => {
    const problems = await lintFromString({
      source: text,
      absoluteRef: 'openapi.json',
      config: await createConfig({ extends: ['recommended'] }),
    });
    expect(
      problems.map(
        ({ ruleId, severity, message, location }) =>
          `${severity} ${ruleId}: ${message} at ${location.map(({ pointer }) => pointer).join(', ')}`,
      ),
    ).toEqual([]);
  });

  it('is OpenAPI 3.1 and has every operation of this release', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(operations.map(named).sort()).toEqual([
      'DELETE /v1/dlq/{id}',
      'GET /contracts/{name}.schema.json',
      'GET /health',
      'GET /healthz',
      'GET /livez',
      'GET /metrics',
      'GET /readyz',
      'GET /v1/bars',
      'GET /v1/bars/latest',
      'GET /v1/coordinator',
      'GET /v1/dlq',
      'GET /v1/dlq/{id}',
      'GET /v1/feedback',
      'GET /v1/feedback/stream',
      'GET /v1/rate-control/providers',
      'GET /v1/series',
      'POST /v1/bars',
      'POST /v1/dlq/replay',
      'POST /v1/dlq/{id}/replay',
      'POST /v1/feedback',
      'POST /v1/rate-control/adjustments',
      'POST /v1/rate-control/providers/{name}/acquire',
      'POST /v1/rate-control/providers/{name}/cooldown',
      'PUT /v1/rate-control/providers/{name}',
    ]);
  });

  it('gives every operation an id, a summary, and an example of every body and every success', () => {
    for (const operation of operations) {
      const { operationId, summary, requestBody, responses } = operation;
      expect([named(operation), operationId]).toEqual([
        named(operation),
        expect.stringMatching(/^[a-z]\w+$/),
      ]);
      expect([named(operation), summary]).toEqual([named(operation), expect.stringMatching(/\w{3}/)]);
      const contents = [
        ...Object.entries(requestBody?.content ?? {}),
        ...Object.entries(responses['200']?.content ?? {}),
        ...Object.entries(responses['202']?.content ?? {}),
      ];
      // A 204 has nothing to show.
      expect(contents.length > 0).toBe(responses['204'] === undefined);
      for (const [type, content] of contents) {
        expect([named(operation), type, examplesOf(content).length > 0]).toEqual([
          named(operation),
          type,
          true,
        ]);
      }
    }
  });

  it('asks for a token exactly where the service does', async () => {
    for (const operation of operations) {
      const answer = await fetch(`${service.url}${operation.path}`, { method: operation.method });
      await answer.text();
      // `{}` says that a token may be sent and need not be.
      const { security = [] } = operation;
      const isPublic = security.length === 0 || security.some((one) => Object.keys(one).length === 0);
      expect([named(operation), answer.status === 401]).toEqual([named(operation), !isPublic]);
      expect([named(operation), operation.responses['401'] === undefined]).toEqual([
        named(operation),
        isPublic,
      ]);
    }
  });

  it('names the scopes of which a token needs one, as the service does', async () => {
    for (const operation of operations) {
      const { security = [], description = '' } = operation;
      const scopes = security.flatMap((one) => (one as { bearer?: string[] }).bearer ?? []);
      if (operation.responses['403'] === undefined) {
        expect([named(operation), scopes]).toEqual([named(operation), []]);
        continue;
      }
      expect([named(operation), scopes]).toEqual([named(operation), expect.arrayContaining(['admin'])]);
      expect(description).toContain(`scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`);
      for (const scope of ['read', 'ingest'] as const) {
        const gone = new AbortController();
        const answer = await fetch(`${service.url}${operation.path}`, {
          method: operation.method,
          headers: { authorization: `Bearer ${TOKENS[scope]}` },
          signal: gone.signal,
        });
        expect([named(operation), scope, answer.status !== 403]).toEqual([
          named(operation),
          scope,
          scopes.includes(scope),
        ]);
        gone.abort();
      }
    }
  });

  it('has an example of every parameter of a path', () => {
    const parameters = operations.flatMap((one) =>
      one.parameters.filter((parameter) => parameter.in === 'path'),
    );
    expect(parameters.length).toBeGreaterThan(5);
    for (const { name, schema, example } of parameters)
      expect([name, example ?? schema.example]).toEqual([name, expect.any(String)]);
  });

  it('has times as text and counts as integers among the query parameters', () => {
    const parameters = operations.find(({ operationId }) => operationId === 'getBars')?.parameters ?? [];
    expect(Object.fromEntries(parameters.map(({ name, schema }) => [name, schema.type]))).toEqual({
      symbols: 'string',
      provider: 'string',
      interval: 'string',
      timeframe: 'string',
      start: 'string',
      end: 'string',
      limit: 'integer',
      page_token: 'string',
      sort: 'string',
      format: 'string',
    });
    expect(parameters.filter(({ required }) => required === true)).toEqual([]);
  });

  it('has the headers of answers, and every code that a problem may have', () => {
    for (const { responses } of operations) {
      for (const [status, response] of Object.entries(responses)) {
        const headers = Object.keys(response.headers ?? {});
        if (response.$ref === undefined) expect(headers).toContain('X-Request-Id');
        if (status === '429' || status === '503') expect(headers).toContain('Retry-After');
        if (status === '401') expect(headers).toContain('WWW-Authenticate');
      }
    }
    const post = operations.find(({ operationId }) => operationId === 'postBars');
    expect(Object.keys(post?.responses['200']?.headers ?? {})).toContain('X-Backpressure');
    expect(Object.keys(post?.responses['429']?.headers ?? {})).toContain('X-Backpressure');
    expect(document.components.schemas['Problem']).toMatchObject({
      properties: { code: { enum: Object.keys(PROBLEMS) } },
    });
  });
});
