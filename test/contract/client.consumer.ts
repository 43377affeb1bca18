/** A program of a user: it is type-checked against the generated types, and run. `bars.ts` are those types. */
export const CONSUMER = `
import createClient from 'openapi-fetch';

import type { components, paths } from './bars.js';

const [, , baseUrl = '', token = ''] = process.argv;
const client = createClient<paths>({ baseUrl, headers: { authorization: \`Bearer \${token}\` } });

const bar: components['schemas']['NewBar'] = {
  provider: 'ibkr',
  symbol: 'AAPL',
  interval: '1d',
  ts: '2026-01-02',
  open: 187.15,
  high: 188.44,
  low: 183.89,
  close: 185.64,
  volume: 82488700,
};

const posted = await client.POST('/v1/bars', { params: { query: { ack: 'stored' } }, body: [bar, { ...bar, ts: 1767571200 }] });
if (posted.error !== undefined) throw new Error(posted.error.code);
if (!('inserted' in posted.data)) throw new Error('the commit was asked for');
const inserted: number = posted.data.inserted;
const level: 'ok' | 'soft' | 'hard' = posted.data.queue.level;

const csv = await client.POST('/v1/bars', {
  headers: { 'content-type': 'text/csv' },
  body: 'provider,symbol,interval,ts,open,high,low,close,volume\\nibkr,MSFT,1d,2026-01-02,1,2,1,2,3\\n',
  bodySerializer: (text) => String(text),
});

const read = await client.GET('/v1/bars', { params: { query: { symbols: 'AAPL', start: '2026-01-01', limit: 1 } } });
if (read.error !== undefined) throw new Error(read.error.code);
if (typeof read.data === 'string') throw new Error('JSON was asked for');
const closes: number[] = read.data.bars.map(({ close }) => close);
const times: string[] = read.data.bars.map(({ ts }) => ts);
const next: string | null = read.data.next_page_token;

const refused = await client.POST('/v1/bars', { body: { ...bar, high: 1 } });
if (refused.error === undefined) throw new Error('a bad bar was taken');
const problem: components['schemas']['Problem'] = refused.error;
const code: 'invalid-bars' | 'queue-full' | 'other' =
  problem.code === 'invalid-bars' || problem.code === 'queue-full' ? problem.code : 'other';
// @ts-expect-error: codes that do not exist are not in the type
const typo = problem.code === 'invalid-bar';
const row = problem.errors?.[0];

// @ts-expect-error: a bar without prices is not a bar
const incomplete: components['schemas']['NewBar'] = { provider: 'ibkr', symbol: 'AAPL', interval: '1d', ts: 0 };
// @ts-expect-error: a misspelt parameter is not in the type
const misspelt = () => client.GET('/v1/bars', { params: { query: { ends: '2026-01-01' } } });

const health = await client.GET('/healthz');
const state: 'healthy' | 'degraded' | 'unhealthy' | undefined = health.data?.state;

console.log(
  JSON.stringify({
    inserted,
    level,
    csv: csv.data?.accepted,
    closes,
    times,
    hasNext: next !== null,
    status: refused.response.status,
    requestId: refused.response.headers.get('x-request-id') === problem.request_id,
    code,
    typo,
    row: row?.code,
    line: row?.line,
    state,
    unused: [typeof incomplete, typeof misspelt],
  }),
);
`;
