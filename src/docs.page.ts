import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { FastifyInstance } from 'fastify';

const SWAGGER_UI = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));

/** What the page loads of Swagger UI, with its types. */
const FILES = [
  ['favicon-32x32.png', 'image/png'],
  ['index.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['swagger-ui.css', 'text/css; charset=utf-8'],
] as const;

/** The page runs and loads what this service gives it and nothing else; Swagger UI's icons are `data:` images. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** @param folder of what the page loads, as seen from the page's address */
const pageOf = (folder: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>market-data-store</title>
    <link rel="icon" href="${folder}favicon-32x32.png">
    <link rel="stylesheet" href="${folder}swagger-ui.css">
    <link rel="stylesheet" href="${folder}index.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${folder}swagger-ui-bundle.js"></script>
    <script src="${folder}page.js"></script>
  </body>
</html>
`;

/** Swagger UI itself can keep the token in localStorage only, which stays on the disk of the machine. */
const PAGE_SCRIPT = `document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches);
const KEPT = 'authorized';
const keepTokenForTheTab = {
  statePlugins: {
    auth: {
      wrapActions: {
        persistAuthorizationIfNeeded: (_original, { authSelectors }) => () =>
          sessionStorage.setItem(KEPT, JSON.stringify(authSelectors.authorized())),
      },
    },
  },
};
// Swagger UI takes the text of every media type with "json" in its name for a JSON value, and shows it in quotes.
const showLinesAsTheyAre = {
  afterLoad() {
    const { getSampleSchema } = this.fn;
    this.fn.getSampleSchema = (schema, type, ...others) =>
      getSampleSchema(schema, type === 'application/x-ndjson' ? 'text/plain' : type, ...others);
  },
};
const ui = SwaggerUIBundle({
  url: new URL('../openapi.json', document.currentScript.src).href,
  dom_id: '#swagger-ui',
  deepLinking: true,
  plugins: [keepTokenForTheTab, showLinesAsTheyAre],
  displayRequestDuration: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  // The badge would have somebody else's server judge a document that it may not reach.
  validatorUrl: 'none',
  onComplete: () => {
    const authorized = sessionStorage.getItem(KEPT);
    if (authorized !== null) ui.authActions.restoreAuthorization({ authorized: JSON.parse(authorized) });
  },
});
`;

/**
 * Serves Swagger UI at /docs, and redirects / to it. The page is our own: that of `@nestjs/swagger`, and Swagger UI's own bar,
 * have styles in them that a strict Content-Security-Policy forbids.
 */
export function serveDocsPage(server: FastifyInstance): void {
  for (const [path, folder] of [
    ['/docs', 'docs/'],
    ['/docs/', ''],
  ] as const)
    server.get(path, (_request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', PAGE_POLICY)
        .send(pageOf(folder)),
    );
  server.get('/docs/page.js', (_request, reply) =>
    reply.type('text/javascript; charset=utf-8').send(PAGE_SCRIPT),
  );
  for (const [name, type] of FILES) {
    // In memory, 2 MB in all: a file that each slow reader holds open would be one more for each of their connections.
    const bytes = readFileSync(join(SWAGGER_UI, name));
    server.get(`/docs/${name}`, (_request, reply) =>
      reply.type(type).header('cache-control', 'public, max-age=3600').send(bytes),
    );
  }
  server.get('/', (_request, reply) => reply.redirect('/docs'));
}
