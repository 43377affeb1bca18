import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { readSettings, type Settings } from '../../src/config/settings.js';
import { problemsOf as problemsWith } from './settings.problems.js';

type Variables = Readonly<Record<string, string>>;

interface NumberSetting {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** In the unit of the setting; undefined: it depends on the machine. */
  readonly standard: number | undefined;
  /** What one of the unit is in the service: seconds become milliseconds. */
  readonly unit: 1 | 1_000;
  readonly read: (settings: Settings) => number | undefined;
  /** What must be set beside it. */
  readonly beside?: Variables;
}

const BILLION = 1_000_000_000;
const HOUR_S = 3_600;
const BROADCAST = { MDS_FB_ENABLE_HTTP_BROADCAST: 'true', MDS_FB_HTTP_ENDPOINT: 'http://store/' };
const REDIS = { MDS_FB_ENABLE_REDIS: 'true' };
const ROOMY = { MDS_COORDINATOR_CAPACITY: String(BILLION) };

const number = (
  name: string,
  [least, most]: readonly [number, number],
  standard: number | undefined,
  unit: 1 | 1_000,
  read: NumberSetting['read'],
  beside: Variables = {},
): NumberSetting => ({ name, least, most, standard, unit, read, beside });

const NUMBERS: readonly NumberSetting[] = [
  number('APP_PORT', [0, 65_535], 8_081, 1, ({ http }) => http.port),
  number('DB_POOL_MAX', [2, 1_000], 10, 1, ({ database }) => database.poolMax, {
    MDS_COORDINATOR_WORKERS: '1',
  }),
  number('MDS_COORDINATOR_CAPACITY', [1, BILLION], 500_000, 1, ({ coordinator }) => coordinator.capacity),
  number(
    'MDS_COORDINATOR_HIGH_WATERMARK',
    [1, BILLION],
    0.8 * BILLION,
    1,
    ({ coordinator }) => coordinator.highWatermark,
    { ...ROOMY, MDS_COORDINATOR_LOW_WATERMARK: '0' },
  ),
  number(
    'MDS_COORDINATOR_LOW_WATERMARK',
    [0, BILLION - 1],
    0.5 * BILLION,
    1,
    ({ coordinator }) => coordinator.lowWatermark,
    { ...ROOMY, MDS_COORDINATOR_HIGH_WATERMARK: String(BILLION) },
  ),
  number('MDS_COORDINATOR_WORKERS', [1, 64], undefined, 1, ({ coordinator }) => coordinator.workers, {
    DB_POOL_MAX: '1000',
  }),
  number('MDS_COORDINATOR_BATCH_SIZE', [1, 1_000_000], 20_000, 1, ({ coordinator }) => coordinator.batchSize),
  number(
    'MDS_COORDINATOR_FLUSH_INTERVAL',
    [0, 60],
    0.25,
    1_000,
    ({ coordinator }) => coordinator.flushIntervalMs,
  ),
  number(
    'MDS_SPOOL_MAX_BYTES',
    [1_048_576, Number.MAX_SAFE_INTEGER],
    2_147_483_648,
    1,
    ({ spool }) => spool.maxBytes,
  ),
  number('MDS_SPOOL_RETAIN_SEC', [0, 720 * HOUR_S], 600, 1_000, ({ spool }) => spool.retainMs),
  number('MDS_RETRY_MAX_ATTEMPTS', [1, 100], 5, 1, ({ retry }) => retry.maxAttempts),
  number('MDS_RETRY_INITIAL_BACKOFF_MS', [1, 60_000], 50, 1, ({ retry }) => retry.initialBackoffMs, {
    MDS_RETRY_MAX_BACKOFF_MS: '600000',
  }),
  number('MDS_RETRY_MAX_BACKOFF_MS', [1, 600_000], 2_000, 1, ({ retry }) => retry.maxBackoffMs, {
    MDS_RETRY_INITIAL_BACKOFF_MS: '1',
  }),
  number('MDS_RETRY_BACKOFF_MULTIPLIER', [1, 10], 2, 1, ({ retry }) => retry.multiplier),
  number('MDS_CB_FAILURE_THRESHOLD', [1, 1_000], 5, 1, ({ breaker }) => breaker.failureThreshold),
  number('MDS_CB_HALF_OPEN_AFTER_SEC', [0.1, HOUR_S], 10, 1_000, ({ breaker }) => breaker.halfOpenAfterMs),
  number('MDS_FB_HEARTBEAT_SEC', [0.05, HOUR_S], 5, 1_000, ({ feedback }) => feedback.heartbeatMs),
  number(
    'MDS_FB_HTTP_TIMEOUT',
    [0.05, 600],
    2.5,
    1_000,
    ({ feedback }) => feedback.http?.timeoutMs,
    BROADCAST,
  ),
  number('MDS_FB_HTTP_MAX_RETRIES', [1, 100], 3, 1, ({ feedback }) => feedback.http?.maxTries, BROADCAST),
  number('MDS_FB_HTTP_BACKOFF', [0, 600], 0.5, 1_000, ({ feedback }) => feedback.http?.backoffMs, BROADCAST),
  number('MDP_FB_SCALE_OK', [0, 1], 1, 1, ({ rates }) => rates.policy.ok),
  number('MDP_FB_SCALE_SOFT', [0, 1], 0.5, 1, ({ rates }) => rates.policy.soft),
  number('MDP_FB_SCALE_HARD', [0, 1], 0, 1, ({ rates }) => rates.policy.hard),
  number('MDS_SHUTDOWN_TIMEOUT_SEC', [1, HOUR_S], 20, 1_000, ({ shutdownTimeoutMs }) => shutdownTimeoutMs),
];

interface OtherSetting {
  readonly name: string;
  readonly standard: unknown;
  readonly text: string;
  readonly meaning: unknown;
  readonly read: (settings: Settings) => unknown;
  readonly beside?: Variables;
}

const other = (
  name: string,
  standard: unknown,
  [text, meaning]: readonly [string, unknown],
  read: OtherSetting['read'],
  beside: Variables = {},
): OtherSetting => ({ name, standard, text, meaning, read, beside });

const DATABASE = 'postgres://user@host/base';
const STRONG = 'a-token-that-is-strong';
const isOn = (
  name: string,
  standard: boolean,
  read: OtherSetting['read'],
  beside: Variables = {},
): OtherSetting => other(name, standard, [String(!standard), !standard], read, beside);
const known = (scope: string) => [{ token: STRONG, scope, providers: undefined }];

const OTHERS: readonly OtherSetting[] = [
  other('APP_HOST', '127.0.0.1', ['::1', '::1'], ({ http }) => http.host),
  other('NODE_ENV', false, ['production', true], ({ production }) => production, { ADMIN_TOKEN: STRONG }),
  other('LOG_LEVEL', 'info', ['debug', 'debug'], ({ logLevel }) => logLevel),
  other('DATABASE_URL', undefined, [DATABASE, DATABASE], ({ database }) => database.url),
  other('ADMIN_DATABASE_URL', undefined, [DATABASE, DATABASE], ({ database }) => database.adminUrl, {
    DATABASE_URL: DATABASE,
  }),
  other('MDS_DATA_DIR', resolve('data'), ['/data', '/data'], ({ dataDirectory }) => dataDirectory),
  other('ADMIN_TOKEN', 'changeme', [STRONG, STRONG], ({ tokens }) => tokens.admin),
  other('ADMIN_TOKEN_FILE', 'changeme', ['file', STRONG], ({ tokens }) => tokens.admin),
  ...(['INGEST', 'FEEDBACK', 'READ'] as const).flatMap((list) => [
    other(`${list}_TOKEN`, [], [STRONG, known(list.toLowerCase())], ({ tokens }) => tokens.others),
    other(`${list}_TOKEN_FILE`, [], ['file', known(list.toLowerCase())], ({ tokens }) => tokens.others),
  ]),
  other(
    'MDS_CASE_SENSITIVE_PROVIDERS',
    [],
    ['a, b', ['a', 'b']],
    (settings) => settings.caseSensitiveProviders,
  ),
  other('MDS_COORDINATOR_ID', `bars-${hostname()}`, ['one', 'one'], ({ coordinator }) => coordinator.id),
  isOn('MDS_READY_WITHOUT_DATABASE', false, (settings) => settings.readyWithoutDatabase),
  isOn('MDS_RETRY_JITTER', true, ({ retry }) => retry.jitter),
  isOn('MDS_FB_ENABLE_FEEDBACK', true, ({ feedback }) => feedback.enabled),
  isOn('MDS_FB_ENABLE_HTTP_BROADCAST', false, ({ feedback }) => feedback.http !== undefined, {
    MDS_FB_HTTP_ENDPOINT: 'http://store/',
  }),
  other(
    'MDS_FB_HTTP_ENDPOINT',
    'http://store/',
    ['https://store/', 'https://store/'],
    ({ feedback }) => feedback.http?.endpoint,
    BROADCAST,
  ),
  other('MDS_FB_HTTP_TOKEN', undefined, [STRONG, STRONG], ({ feedback }) => feedback.http?.token, BROADCAST),
  other(
    'MDS_FB_HTTP_TOKEN_FILE',
    undefined,
    ['file', STRONG],
    ({ feedback }) => feedback.http?.token,
    BROADCAST,
  ),
  isOn('MDS_FB_ENABLE_REDIS', false, ({ feedback }) => feedback.redis?.publish ?? false),
  other(
    'REDIS_URL',
    'redis://localhost:6379',
    ['redis://r:1', 'redis://r:1'],
    ({ feedback }) => feedback.redis?.url,
    REDIS,
  ),
  other(
    'MDS_FB_REDIS_CHANNEL',
    'feedback',
    ['other', 'other'],
    ({ feedback }) => feedback.redis?.channel,
    REDIS,
  ),
  isOn('MDP_FB_ENABLE_FEEDBACK', true, ({ rates }) => rates.enabled),
  other('MDP_FB_PROVIDER_NAME', '*', ['a,b', ['a', 'b']], ({ rates }) => rates.providers),
  isOn('MDP_FB_USE_CORE_CONTRACTS', true, ({ rates }) => rates.useCoreContracts),
  isOn('MDP_FB_REDIS_SUBSCRIBE', false, ({ feedback }) => feedback.redis?.subscribe ?? false),
  other(
    'MDP_RATE_PROVIDERS',
    [],
    ['a:1:2', [{ provider: 'a', refillRate: 1, burst: 2 }]],
    ({ rates }) => rates.registered,
  ),
];

const settingsOf = (variables: Variables) => readSettings(variables, () => STRONG);

const problemsOf = (variables: Variables) => problemsWith(variables, () => STRONG);

/** Decimals never as 5e-2, which is refused. */
const textOf = (value: number) =>
  value.toLocaleString('en', { useGrouping: false, maximumFractionDigits: 6 });

describe('each setting', () => {
  it('is in one of the two tables', () => {
    const source = readFileSync('src/config/environment.ts', 'utf8');
    const declared = (kind: string) =>
      [...source.matchAll(new RegExp(`@${kind}\\(.*\\)\\s+([A-Z_]+)\\?:`, 'g'))].map(([, name = '']) => name);
    const numbers = [...declared('IntegerVariable'), ...declared('NumberVariable')];
    expect(NUMBERS.map(({ name }) => name).sort()).toEqual(numbers.sort());
    const others = declared('\\w+').filter((name) => !numbers.includes(name));
    expect(OTHERS.map(({ name }) => name).sort()).toEqual(others.sort());
  });

  it.each(NUMBERS)('$name is from $least to $most', ({ name, least, most, unit, read, beside }) => {
    for (const value of [least, most]) {
      const settings = settingsOf({ ...beside, [name]: textOf(value) });
      expect(read(settings)).toBeCloseTo(value * unit, 6);
    }
    const step = Number.isInteger(least) && most - least > 1 && unit === 1 ? 1 : 0.001;
    for (const value of [least - step, most + step]) {
      // What is compared with it may be wrong, too.
      const [problem] = problemsOf({ ...beside, [name]: textOf(value) });
      expect([value, problem]).toEqual([value, expect.stringContaining(name)]);
    }
  });

  it.each(NUMBERS.filter(({ standard }) => standard !== undefined))(
    '$name is $standard by itself',
    ({ standard, unit, read, beside = {} }) => {
      expect(read(settingsOf(beside))).toBe((standard ?? 0) * unit);
    },
  );

  it.each(OTHERS)(
    '$name is $standard by itself, and $text is $meaning',
    ({ name, standard, text, meaning, read, beside = {} }) => {
      expect(read(settingsOf(beside))).toEqual(standard);
      expect(read(settingsOf({ ...beside, [name]: text }))).toEqual(meaning);
    },
  );

  it('that has a value in .env.example has that one by itself', () => {
    const example = readFileSync('.env.example', 'utf8');
    const values = [...example.matchAll(/^#([A-Z_]+)=(.+)$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]);
    expect(values.length).toBeGreaterThan(30);
    const enabled = { ...BROADCAST, ...REDIS };
    expect(settingsOf({ ...(Object.fromEntries(values) as Variables), ...enabled })).toEqual(
      settingsOf(enabled),
    );
  });
});

describe('workers and connections', () => {
  it.each([
    [9, 10, []],
    [10, 10, [expect.stringContaining('MDS_COORDINATOR_WORKERS (10)')]],
    [11, 10, [expect.stringContaining('MDS_COORDINATOR_WORKERS (11)')]],
    [1, 2, []],
    [2, 2, [expect.stringContaining('MDS_COORDINATOR_WORKERS (2)')]],
  ])('%d of %d leave one connection for reads, or the start stops', (workers, connections, problems) => {
    const variables = { MDS_COORDINATOR_WORKERS: String(workers), DB_POOL_MAX: String(connections) };
    expect(problemsOf(variables)).toEqual(problems);
  });

  it('are 2 to 4 workers by themselves', () => {
    const { workers } = settingsOf({}).coordinator;
    expect([2, 3, 4]).toContain(workers);
  });
});
