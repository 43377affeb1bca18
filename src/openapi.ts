import type { INestApplication } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';

import { BARS_EXAMPLE_CSV, BARS_EXAMPLE_NDJSON } from './bars/dto/bar.examples.js';
import { VERSION } from './config/version.js';
import { serveDocsPage } from './docs.page.js';
import { ProblemDto } from './http/problem.dto.js';
import { withCommonParts } from './openapi.common.js';

const DESCRIPTION = `Takes OHLCV bars, answers when they are safe on disk or, with \`ack=stored\`, when they are committed, and serves them
back.

Send \`Authorization: Bearer <token>\`. Errors are RFC 9457 problem details with a stable \`code\`. Every answer has an
\`X-Request-Id\`, which is yours when you send one. An answer of 1 KiB or more is gzipped when \`Accept-Encoding\` asks for
it. An operation that needs a token refuses query parameters that it does not have.`;

/** Serves the description of the API at /openapi.json and as a page at /docs. */
export function serveOpenApi(app: NestFastifyApplication): void {
  const server = app.getHttpAdapter().getInstance();
  let text: string | undefined;
  server.get('/openapi.json', (_request, reply) => {
    text ??= JSON.stringify(createOpenApi(app));
    return reply.type('application/json; charset=utf-8').send(text);
  });
  serveDocsPage(server);
}

function createOpenApi(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('market-data-store')
    .setDescription(DESCRIPTION)
    .setVersion(VERSION)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer('/', 'This service')
    .addBearerAuth(
      {
        type: 'http',
        scheme: 'bearer',
        bearerFormat: 'opaque',
        description:
          'ADMIN_TOKEN, or one of INGEST_TOKEN, FEEDBACK_TOKEN or READ_TOKEN; without the word Bearer.',
      },
      'bearer',
    )
    .addTag('bars', 'Bars in, bars out.')
    .addTag('coordinator', 'The queue in front of the database.')
    .addTag('dead letters', 'Bars that the database refused: look at them, replay or delete them.')
    .addTag('feedback', 'Levels of coordinators, followed and told.')
    .addTag('rate control', 'What providers may send.')
    .addTag('contracts', 'The JSON Schemas of the Core contracts.')
    .addTag('operation', 'Probes and metrics.')
    .build();
  return withCommonParts(
    withTextBodies(SwaggerModule.createDocument(app, config, { extraModels: [ProblemDto] })),
  );
}

/** Nest gives every content type of a body one schema; CSV and NDJSON are text. */
function withTextBodies(document: OpenAPIObject): OpenAPIObject {
  const body = document.paths['/v1/bars']?.post?.requestBody;
  if (body !== undefined && 'content' in body) {
    body.content['application/x-ndjson'] = { schema: { type: 'string' }, example: BARS_EXAMPLE_NDJSON };
    body.content['text/csv'] = { schema: { type: 'string' }, example: BARS_EXAMPLE_CSV };
  }
  return document;
}
