import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { readSettings } from '../../src/config/settings.js';
import { SettingsError } from '../../src/config/settings.error.js';
import { TokenAuthenticator } from '../../src/config/token.authenticator.js';
import { problemsOf } from './settings.problems.js';

describe('the settings', () => {
  it('have a default for everything', () => {
    const settings = readSettings({});
    expect(settings.http).toMatchObject({ host: '127.0.0.1', port: 8081 });
    expect(settings.coordinator).toMatchObject({
      capacity: 500_000,
      highWatermark: 400_000,
      lowWatermark: 250_000,
    });
    expect(settings.retry).toEqual({
      maxAttempts: 5,
      initialBackoffMs: 50,
      maxBackoffMs: 2_000,
      multiplier: 2,
      jitter: true,
    });
    expect(settings.breaker).toEqual({ failureThreshold: 5, halfOpenAfterMs: 10_000 });
    expect(settings.tokens).toEqual({ admin: 'changeme', others: [] });
    expect(settings.rates).toMatchObject({ enabled: true, providers: '*', registered: [] });
  });

  it('treat a variable that is set to nothing as unset', () => {
    expect(readSettings({ APP_PORT: '', DATABASE_URL: ' ', ADMIN_TOKEN: '' })).toEqual(readSettings({}));
  });

  it('derive the watermarks from the capacity', () => {
    const { coordinator } = readSettings({ MDS_COORDINATOR_CAPACITY: '1001' });
    expect(coordinator).toMatchObject({ highWatermark: 801, lowWatermark: 500 });
  });

  it('name every bad variable in one message and print no value', () => {
    const bad = {
      APP_PORT: '80801',
      LOG_LEVEL: 'loud',
      DATABASE_URL: 'mysql://root:hunter2@db/x',
      DB_POOL_MAX: 'ten',
      MDS_COORDINATOR_WORKERS: '0',
      MDS_RETRY_JITTER: 'maybe',
      MDS_CB_HALF_OPEN_AFTER_SEC: '1e3',
      ADMIN_TOKEN: 'two words',
      INGEST_TOKEN: 'good,,bad',
      MDP_RATE_PROVIDERS: 'ibkr:1:1,ibkr:2:2',
    };
    const problems = problemsOf(bad);
    expect(problems.map((line) => line.split(' ')[0]).sort()).toEqual(Object.keys(bad).sort());
    const message = new SettingsError(problems).message;
    for (const value of ['hunter2', 'two words', 'good,,bad', 'mysql', 'ibkr'])
      expect(message).not.toContain(value);
  });

  it.each([
    [
      'a high watermark above the capacity',
      { MDS_COORDINATOR_CAPACITY: '10', MDS_COORDINATOR_HIGH_WATERMARK: '11' },
    ],
    ['a low watermark that is not below the high one', { MDS_COORDINATOR_LOW_WATERMARK: '400000' }],
    ['a longest backoff below the first', { MDS_RETRY_MAX_BACKOFF_MS: '10' }],
    ['an admin database without a database', { ADMIN_DATABASE_URL: 'postgres://a@b/c' }],
    ['an endpoint with a port that does not exist', { MDS_FB_HTTP_ENDPOINT: 'http://host:99999/' }],
    ['a Redis database that is no number', { REDIS_URL: 'redis://host/xx' }],
    ['a spool of a few bytes', { MDS_SPOOL_MAX_BYTES: '1000' }],
    ['a provider with no rate', { MDP_RATE_PROVIDERS: 'ibkr:0:1' }],
    ['a provider to follow the level that cannot be', { MDP_FB_PROVIDER_NAME: 'ibkr, a b' }],
    ['a name that other stores refuse', { MDS_COORDINATOR_ID: 'x'.repeat(257) }],
    ['two admin tokens', { ADMIN_TOKEN: 'a', ADMIN_TOKEN_FILE: '/nowhere' }],
    ['a token file that cannot be read', { ADMIN_TOKEN_FILE: '/nowhere' }],
  ])('refuse %s', (_what, variables) => {
    expect(problemsOf(variables)).toHaveLength(1);
  });

  it.each([
    ['the default', {}],
    ['an empty one', { ADMIN_TOKEN: '' }],
    ['one of 15 characters', { ADMIN_TOKEN: 'a'.repeat(15) }],
    ['a short ingest token', { ADMIN_TOKEN: 'a'.repeat(16), INGEST_TOKEN: 'short' }],
    ['a short read token', { ADMIN_TOKEN: 'a'.repeat(16), READ_TOKEN: `${'b'.repeat(16)},short` }],
  ])('refuse in production as a token %s', (_what, variables) => {
    expect(problemsOf({ NODE_ENV: 'production', ...variables })).toHaveLength(1);
  });

  it('take a token of 16 characters in production, also from a file', () => {
    expect(problemsOf({ NODE_ENV: 'production', ADMIN_TOKEN: 'a'.repeat(16) })).toEqual([]);
    const settings = readSettings(
      { NODE_ENV: 'production', ADMIN_TOKEN_FILE: 'f' },
      () => ` ${'x'.repeat(20)}\n`,
    );
    expect(settings.tokens.admin).toBe('x'.repeat(20));
  });

  it('are all in .env.example and in the README, and those name no other', () => {
    const known = declaredVariables().sort();
    const example = [...readFileSync('.env.example', 'utf8').matchAll(/^#([A-Z_]+)=/gm)]
      .map(([, name]) => name)
      .sort();
    expect(example).toEqual(known);
    const readme = readFileSync('README.md', 'utf8');
    const table = readme.slice(readme.indexOf('## Configuration'), readme.indexOf('### The database'));
    const named = [...table.matchAll(/`((?:[A-Z]+_)+[A-Z]+)`/g)].map(([, name]) => name).sort();
    expect([...new Set(named)]).toEqual(known);
  });
});

/** The variables that the class declares. */
function declaredVariables(): (string | undefined)[] {
  const source = readFileSync('src/config/environment.ts', 'utf8');
  return [...source.matchAll(/\)\s+([A-Z_]+)\?:/g)].map(([, name]) => name);
}

describe('the authenticator', () => {
  const authenticator = new TokenAuthenticator(
    readSettings({ ADMIN_TOKEN: 'root', INGEST_TOKEN: 'in1, in2', READ_TOKEN: 'out' }).tokens,
  );

  it.each([
    ['Bearer root', 'admin'],
    ['bearer   in2', 'ingest'],
    ['Bearer out', 'read'],
    ['Bearer outt', undefined],
    ['Bearer ou', undefined],
    ['Bearer roots', undefined],
    ['Bearer rooté', undefined],
    ['Bearer in2\u0000', undefined],
    ['Bearer ', undefined],
    ['Basic root', undefined],
    ['root', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('knows %p as %p', (header, scope) => {
    expect(authenticator.authenticate(header)?.scope).toBe(scope);
  });
});
