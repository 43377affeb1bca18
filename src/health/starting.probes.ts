import type { Answer } from '../http/answer.js';
import { HealthReporter } from './health.reporter.js';

const reporter = new HealthReporter([]);

/** What the probes answer while the service starts: the process lives, and is not ready. */
export const STARTING_PROBES: ReadonlyMap<string, () => Answer> = new Map([
  ['/livez', () => answerOf(200, { ...reporter.alive(), ok: true })],
  ['/readyz', () => answerOf(503, { ...reporter.alive(), state: 'unhealthy', ready: false })],
]);

function answerOf(status: number, document: object): Answer {
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(status === 503 ? { 'retry-after': '1' } : {}),
    },
    body: `${JSON.stringify(document)}\n`,
  };
}
