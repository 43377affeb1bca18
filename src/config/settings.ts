import { readFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';

import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';

import { dataDirectoryPath } from './data-directory.path.js';
import { Environment } from './environment.js';
import { readFeedback, readRates, type FeedbackSettings, type RateSettings } from './feedback.settings.js';
import { unknownNames } from './environment.names.js';
import { mostConnections, openFilesLimit } from './open.files.js';
import { readProviderNames } from './rate.providers.setting.js';
import { SettingsError } from './settings.error.js';
import { DEFAULT_ADMIN_TOKEN, readTokens, type TokenSettings } from './token.settings.js';
import { SECOND } from './units.js';

const GIB = 1_073_741_824;
const LOOPBACK = '127.0.0.1';

/** Everything the service is told from outside, read once and validated. Durations are milliseconds. */
export interface Settings {
  readonly production: boolean;
  readonly logLevel: string;
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** Most clients connected at once. */
    readonly mostConnections: number;
  };
  readonly database: {
    /** Undefined: the service runs an embedded PostgreSQL. */
    readonly url: string | undefined;
    /** Role for migrations and data lifecycle; undefined: the same as `url`. */
    readonly adminUrl: string | undefined;
    readonly poolMax: number;
  };
  /** Absolute path of the directory for the spool, the dead letters and the embedded database. */
  readonly dataDirectory: string;
  readonly tokens: TokenSettings;
  /** Providers whose symbols keep their case; `*`: all. */
  readonly caseSensitiveProviders: readonly string[] | '*';
  readonly coordinator: {
    readonly id: string;
    /** Rows. */
    readonly capacity: number;
    readonly highWatermark: number;
    readonly lowWatermark: number;
    readonly workers: number;
    /** Rows per write. */
    readonly batchSize: number;
    readonly flushIntervalMs: number;
  };
  readonly spool: {
    /** Most bytes on disk. */
    readonly maxBytes: number;
    /** How long what is committed is kept for replay. */
    readonly retainMs: number;
  };
  /** True: ready while the spool takes bars though the database is away. */
  readonly readyWithoutDatabase: boolean;
  readonly retry: {
    readonly maxAttempts: number;
    readonly initialBackoffMs: number;
    readonly maxBackoffMs: number;
    readonly multiplier: number;
    readonly jitter: boolean;
  };
  readonly breaker: { readonly failureThreshold: number; readonly halfOpenAfterMs: number };
  readonly feedback: FeedbackSettings;
  readonly rates: RateSettings;
  readonly shutdownTimeoutMs: number;
}

/**
 * Validates the environment and fills in the defaults.
 * @throws SettingsError naming every bad variable, never a value.
 */
export function readSettings(variables: NodeJS.ProcessEnv, readFile = readFileText): Settings {
  const env = plainToInstance(Environment, variables, { excludeExtraneousValues: true });
  const problems = validateSync(env).map(
    ({ property, constraints }) => `${property} ${Object.values(constraints ?? {})[0] ?? 'is not valid'}`,
  );
  problems.push(...unknownNames(variables, Object.keys(env)));

  const production = env.NODE_ENV === 'production';
  const tokens = readTokens(env, production, readFile, problems);
  // The default token is public: it stands in the documentation.
  const isDefault = tokens.admin === DEFAULT_ADMIN_TOKEN;
  const capacity = env.MDS_COORDINATOR_CAPACITY ?? 500_000;
  const highWatermark = env.MDS_COORDINATOR_HIGH_WATERMARK ?? Math.ceil(capacity * 0.8);
  const lowWatermark = env.MDS_COORDINATOR_LOW_WATERMARK ?? Math.floor(capacity * 0.5);
  if (highWatermark > capacity) {
    problems.push(`MDS_COORDINATOR_HIGH_WATERMARK must not be above the capacity of ${capacity} rows`);
  }
  if (lowWatermark >= highWatermark) {
    problems.push(`MDS_COORDINATOR_LOW_WATERMARK must be below the high watermark of ${highWatermark} rows`);
  }
  const poolMax = env.DB_POOL_MAX ?? 10;
  const workers = env.MDS_COORDINATOR_WORKERS ?? defaultWorkers();
  if (workers >= poolMax) {
    problems.push(
      `DB_POOL_MAX must be above MDS_COORDINATOR_WORKERS (${workers}), or nothing is left for reads`,
    );
  }
  const initialBackoffMs = env.MDS_RETRY_INITIAL_BACKOFF_MS ?? 50;
  const maxBackoffMs = env.MDS_RETRY_MAX_BACKOFF_MS ?? 2 * SECOND;
  if (maxBackoffMs < initialBackoffMs) {
    problems.push('MDS_RETRY_MAX_BACKOFF_MS must not be below MDS_RETRY_INITIAL_BACKOFF_MS');
  }
  if (env.ADMIN_DATABASE_URL !== undefined && env.DATABASE_URL === undefined) {
    problems.push('ADMIN_DATABASE_URL needs DATABASE_URL: without it the service runs its own database');
  }
  const caseSensitiveProviders =
    env.MDS_CASE_SENSITIVE_PROVIDERS === undefined
      ? []
      : readProviderNames('MDS_CASE_SENSITIVE_PROVIDERS', env.MDS_CASE_SENSITIVE_PROVIDERS, problems);
  const feedback = readFeedback(env, readFile, problems);
  const rates = readRates(env, problems);
  if (problems.length > 0) throw new SettingsError(problems);

  return {
    production,
    logLevel: env.LOG_LEVEL ?? 'info',
    http: {
      host: env.APP_HOST ?? (isDefault ? LOOPBACK : '0.0.0.0'),
      port: env.APP_PORT ?? 8081,
      mostConnections: mostConnections(openFilesLimit(), poolMax),
    },
    database: { url: env.DATABASE_URL, adminUrl: env.ADMIN_DATABASE_URL, poolMax },
    dataDirectory: dataDirectoryPath(env.MDS_DATA_DIR),
    tokens,
    caseSensitiveProviders,
    coordinator: {
      id: env.MDS_COORDINATOR_ID ?? `bars-${hostname()}`,
      capacity,
      highWatermark,
      lowWatermark,
      workers,
      batchSize: env.MDS_COORDINATOR_BATCH_SIZE ?? 20_000,
      flushIntervalMs: (env.MDS_COORDINATOR_FLUSH_INTERVAL ?? 0.25) * SECOND,
    },
    spool: {
      maxBytes: env.MDS_SPOOL_MAX_BYTES ?? 2 * GIB,
      retainMs: (env.MDS_SPOOL_RETAIN_SEC ?? 600) * SECOND,
    },
    readyWithoutDatabase: env.MDS_READY_WITHOUT_DATABASE ?? false,
    retry: {
      maxAttempts: env.MDS_RETRY_MAX_ATTEMPTS ?? 5,
      initialBackoffMs,
      maxBackoffMs,
      multiplier: env.MDS_RETRY_BACKOFF_MULTIPLIER ?? 2,
      jitter: env.MDS_RETRY_JITTER ?? true,
    },
    breaker: {
      failureThreshold: env.MDS_CB_FAILURE_THRESHOLD ?? 5,
      halfOpenAfterMs: (env.MDS_CB_HALF_OPEN_AFTER_SEC ?? 10) * SECOND,
    },
    feedback,
    rates,
    shutdownTimeoutMs: (env.MDS_SHUTDOWN_TIMEOUT_SEC ?? 20) * SECOND,
  };
}

function readFileText(path: string): string {
  return readFileSync(path, 'utf8');
}

/** More writers than processors only take turns, and time from those who answer. */
function defaultWorkers(): number {
  return Math.min(4, Math.max(2, availableParallelism()));
}
