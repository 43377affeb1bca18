import type { FastifyInstance } from 'fastify';

import { requireScope } from '../config/admin-token.guard.js';
import type { TokenAuthenticator } from '../config/token.authenticator.js';
import type { Answer } from '../http/answer.js';
import { cutShort } from '../http/client.errors.js';
import type { ConnectionLimit } from '../http/connection.limit.js';
import type { DirectAnswer, DirectRequest } from '../http/direct.connection.js';
import { answerDirectly, type DirectServer } from '../http/direct.server.js';
import type { DrainState } from '../http/drain.state.js';
import type { ProblemFilter } from '../http/problem.filter.js';
import type { RefusalPace } from '../http/refusal.pace.js';
import { RequestHeadReader } from '../http/request.head.js';
import type { Metrics } from '../metrics/metrics.catalogue.js';
import { ingestAnswer } from './ingest/ingest.answer.js';
import type { IngestService } from './ingest/ingest.service.js';

/** What small bodies are answered with. */
interface DirectIngestParts {
  readonly authenticator: TokenAuthenticator;
  readonly connections: ConnectionLimit;
  readonly drain: DrainState;
  readonly filter: ProblemFilter;
  readonly ingest: IngestService;
  readonly metrics: Metrics;
  readonly pace: RefusalPace;
}

const METHOD = 'POST';
const PATH = '/v1/bars';
const LABELS = { method: METHOD, endpoint: PATH };

/**
 * Answers the usual POST /v1/bars, without a query and with a small body, past Node's HTTP server and Fastify, which
 * cost more than the bars (docs/decisions/0016). Whatever is different goes to the route; the answers are the same.
 */
export function ingestDirectly(server: FastifyInstance, parts: DirectIngestParts): void {
  const { authenticator, connections, drain, metrics } = parts;
  let direct: DirectServer | undefined;
  // Not before: the server listens already while the service starts.
  server.addHook('onReady', (done) => {
    direct = answerDirectly(server.server, {
      heads: new RequestHeadReader(`${METHOD} ${PATH} HTTP/1.1`),
      connections,
      isKnown: (fields) => authenticator.authenticate(fields.get('authorization')) !== undefined,
      answer: (request) => answer(request, parts),
      cutShort: (id) => refusal(cutShort(), id, parts),
      isClosing: () => drain.draining,
      onAnswered: (seconds, status) => {
        metrics.httpDuration.observe(LABELS, seconds);
        metrics.httpRequests.inc({ ...LABELS, status });
      },
    });
    done();
  });
  server.addHook('preClose', (done) => {
    direct?.close();
    done();
  });
}

async function answer(
  { id, fields, body, socket }: DirectRequest,
  parts: DirectIngestParts,
): Promise<DirectAnswer> {
  try {
    const grant = parts.authenticator.authenticate(fields.get('authorization'), socket);
    requireScope(grant, ['ingest']);
    const result = await parts.ingest.ingest({
      body,
      grant,
      contentType: fields.get('content-type'),
      contentEncoding: undefined,
      onError: 'abort',
      onConflict: 'replace',
      awaitCommit: false,
      releaseRoom: undefined,
      room: undefined,
      gone: undefined,
    });
    return ingestAnswer(result);
  } catch (error) {
    return { ...refusal(error, id, parts), delayMs: parts.pace.delayOf(error) };
  }
}

function refusal(error: unknown, id: string, { filter }: DirectIngestParts): Answer {
  return filter.answer(error, { id, method: METHOD, url: PATH });
}
