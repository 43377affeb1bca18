import { Agent, request } from 'node:http';

import pg from 'pg';

/** A question asked of the service and of PostgreSQL, in turns, one at a time. */
export interface AskOptions {
  readonly url: string;
  readonly token: string;
  readonly databaseUrl: string;
  readonly sql: string;
  readonly values: readonly unknown[];
  readonly times: number;
  /** Bars that both answers must have. */
  readonly expected: number;
}

/** Milliseconds of each answer, parsed. */
export interface AskResult {
  readonly service: readonly number[];
  readonly sql: readonly number[];
}

/** Questions that are not counted: code is compiled, plans are made. */
const WARM_UP = 100;

/** Asks. */
export async function ask(options: AskOptions): Promise<AskResult> {
  const { databaseUrl, expected, sql, times, token, url, values } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const result = { service: [] as number[], sql: [] as number[] };
  try {
    for (let turn = -WARM_UP; turn < times; turn += 1) {
      const start = performance.now();
      const { bars } = (await getJson(url, token, agent)) as { bars: unknown[] };
      const between = performance.now();
      const { rows } = await client.query({ name: 'bench', text: sql, values: [...values] });
      const end = performance.now();
      if (bars.length !== expected || rows.length !== expected) {
        throw new Error(`${bars.length} and ${rows.length} bars came instead of ${expected}`);
      }
      if (turn < 0) continue;
      result.service.push(between - start);
      result.sql.push(end - between);
    }
    return result;
  } finally {
    agent.destroy();
    await client.end();
  }
}

function getJson(url: string, token: string, agent: Agent): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (answer.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`${url.slice(0, 100)} answered ${answer.statusCode ?? 0}: ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}
