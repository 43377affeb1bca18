/** A bare Fastify server: it reads a body as bytes and answers a small document. Prints where it listens. */
import { fastify } from 'fastify';

const server = fastify({ bodyLimit: 67_108_864 });
server.addContentTypeParser('application/x-ndjson', { parseAs: 'buffer' }, (_request, body, done) =>
  done(null, body),
);
server.post('/v1/bars', (request, reply) =>
  reply.status(202).send({ accepted: 1, bytes: (request.body as Buffer).length }),
);
process.stdout.write(`listening ${await server.listen({ port: 0, host: '127.0.0.1' })}\n`);
