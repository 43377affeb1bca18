import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';

import { BARS_EXAMPLE_CSV, BARS_EXAMPLE_NDJSON } from './bars/dto/bar.examples.js';
import { VERSION } from './config/version.js';
import { ProblemDto } from './http/problem.dto.js';

/** Serves the description of the API at /openapi.json and as a page at /docs. */
export function serveOpenApi(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => createOpenApi(app), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'market-data-store',
    swaggerOptions: { persistAuthorization: true, displayRequestDuration: true, tryItOutEnabled: true },
  });
}

function createOpenApi(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('market-data-store')
    .setDescription(
      'Takes OHLCV bars, answers when they are committed, and serves them back. ' +
        'Send `Authorization: Bearer <token>`; errors are RFC 9457 problem details with a stable `code`.',
    )
    .setVersion(VERSION)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer('/', 'This service')
    .addBearerAuth({ type: 'http', scheme: 'bearer' }, 'bearer')
    .addTag('bars', 'Bars in, bars out.')
    .addTag('coordinator', 'The queue in front of the database.')
    .addTag('operation', 'Probes and metrics.')
    .build();
  const document = SwaggerModule.createDocument(app, config, { extraModels: [ProblemDto] });
  return withTextBodies(document);
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
