import 'reflect-metadata';

import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { ContractsController } from '../../src/core/contracts.controller.js';
import { ContractsModule } from '../../src/core/contracts.module.js';
import { createHttpAdapter } from '../../src/http/http.server.js';
import { HttpModule } from '../../src/http/http.module.js';
import { MetricsModule } from '../../src/metrics/metrics.module.js';
import { CORE_NAMES, coreSchema } from '../support/core.schemas.ts';

@Module({ imports: [MetricsModule, HttpModule, ContractsModule] })
class TestModule {}

describe('GET /contracts/{name}.schema.json', () => {
  let app: INestApplication;
  let url: string;

  beforeAll(async () => {
    app = await NestFactory.create<NestFastifyApplication>(TestModule, createHttpAdapter(), {
      logger: false,
    });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });
  afterAll(() => app.close());

  it.each(CORE_NAMES)('serves %s', async (name) => {
    const answer = await fetch(`${url}/contracts/${name}.schema.json`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/schema\+json/);
    expect(await answer.json()).toEqual(coreSchema(name));
  });

  it.each([
    'telemetry.Weather.schema.json',
    'FeedbackEvent.schema.json',
    'telemetry.FeedbackEvent',
    '.schema.json',
    '__proto__.schema.json',
    '..%2Fpackage.schema.json',
    '..%2F..%2Fetc%2Fpasswd',
  ])('answers %s with a problem document', async (file) => {
    const answer = await fetch(`${url}/contracts/${file}`);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await answer.json()).toMatchObject({ status: 404, code: 'not-found' });
  });

  it('is open to everyone', () => {
    expect(Reflect.getMetadata('access', ContractsController)).toBe('public');
  });

  it('is described in OpenAPI', () => {
    const document = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    const operation = document.paths['/contracts/{name}.schema.json']?.get;
    expect(operation).toMatchObject({ operationId: 'getContract', security: [] });
    expect(Object.keys(operation?.responses ?? {})).toEqual(['200', '404']);
  });
});
