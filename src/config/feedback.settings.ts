import type { BackpressureLevel } from '../core/backpressure.level.js';
import type { Environment } from './environment.js';
import { readGiven } from './given.setting.js';
import { type ConfiguredProvider, readProviderNames, readRateProviders } from './rate.providers.setting.js';
import { PRINTABLE } from './token.settings.js';
import { SECOND } from './units.js';

/** How the queue's level is told to producers. Durations are milliseconds. */
export interface FeedbackSettings {
  readonly enabled: boolean;
  readonly heartbeatMs: number;
  /** Undefined: nothing is posted. */
  readonly http:
    | {
        readonly endpoint: string;
        /** Sent as `Authorization: Bearer`; undefined: none is. */
        readonly token: string | undefined;
        readonly timeoutMs: number;
        readonly maxTries: number;
        readonly backoffMs: number;
      }
    | undefined;
  /** Undefined: Redis is not used. */
  readonly redis:
    | {
        readonly url: string;
        readonly channel: string;
        readonly publish: boolean;
        readonly subscribe: boolean;
      }
    | undefined;
}

/** How a level becomes a rate. */
export interface RateSettings {
  /** Whether events change the rate of providers. */
  readonly enabled: boolean;
  /** Providers that follow the level; `*`: every one that has sent bars or has a rate. */
  readonly providers: readonly string[] | '*';
  /** Share of the full rate at each level, from 0 to 1. */
  readonly policy: Readonly<Record<BackpressureLevel, number>>;
  /** False: the older way in, until 0.5.0: any object as an event, rates through the adapter, `status` in health. */
  readonly useCoreContracts: boolean;
  /** Providers whose rate is set from the start, and enforced. */
  readonly registered: readonly ConfiguredProvider[];
}

/** Reads the settings of the feedback loop; appends to `problems` what is wrong with them. */
export function readFeedback(
  env: Environment,
  readFile: (path: string) => string,
  problems: string[],
): FeedbackSettings {
  const broadcast = env.MDS_FB_ENABLE_HTTP_BROADCAST ?? false;
  if (broadcast && env.MDS_FB_HTTP_ENDPOINT === undefined) {
    problems.push('MDS_FB_HTTP_ENDPOINT must be set when MDS_FB_ENABLE_HTTP_BROADCAST is true');
  }
  const token = readBroadcastToken(env, readFile, problems);
  const publish = env.MDS_FB_ENABLE_REDIS ?? false;
  const subscribe = env.MDP_FB_REDIS_SUBSCRIBE ?? false;
  return {
    enabled: env.MDS_FB_ENABLE_FEEDBACK ?? true,
    heartbeatMs: (env.MDS_FB_HEARTBEAT_SEC ?? 5) * SECOND,
    http:
      broadcast && env.MDS_FB_HTTP_ENDPOINT !== undefined
        ? {
            endpoint: env.MDS_FB_HTTP_ENDPOINT,
            token,
            timeoutMs: (env.MDS_FB_HTTP_TIMEOUT ?? 2.5) * SECOND,
            maxTries: env.MDS_FB_HTTP_MAX_RETRIES ?? 3,
            backoffMs: (env.MDS_FB_HTTP_BACKOFF ?? 0.5) * SECOND,
          }
        : undefined,
    redis:
      publish || subscribe
        ? {
            url: env.REDIS_URL ?? 'redis://localhost:6379',
            channel: env.MDS_FB_REDIS_CHANNEL ?? 'feedback',
            publish,
            subscribe,
          }
        : undefined,
  };
}

function readBroadcastToken(
  env: Environment,
  readFile: (path: string) => string,
  problems: string[],
): string | undefined {
  const given = readGiven(env, 'MDS_FB_HTTP_TOKEN', readFile, problems);
  if (given === undefined) return undefined;
  if (!PRINTABLE.test(given.text))
    problems.push(`${given.variable} must be one token (printable ASCII without blanks)`);
  if (URL.canParse(env.MDS_FB_HTTP_ENDPOINT ?? '') && hasUser(new URL(env.MDS_FB_HTTP_ENDPOINT ?? '')))
    problems.push(`${given.variable} and a user in MDS_FB_HTTP_ENDPOINT are both set; set one of them`);
  return given.text;
}

function hasUser({ username, password }: URL): boolean {
  return username !== '' || password !== '';
}

/** Reads the settings of rate control; appends to `problems` what is wrong with them. */
export function readRates(env: Environment, problems: string[]): RateSettings {
  return {
    enabled: env.MDP_FB_ENABLE_FEEDBACK ?? true,
    providers: readProviderNames('MDP_FB_PROVIDER_NAME', env.MDP_FB_PROVIDER_NAME ?? '*', problems),
    policy: {
      ok: env.MDP_FB_SCALE_OK ?? 1,
      soft: env.MDP_FB_SCALE_SOFT ?? 0.5,
      hard: env.MDP_FB_SCALE_HARD ?? 0,
    },
    useCoreContracts: env.MDP_FB_USE_CORE_CONTRACTS ?? true,
    registered: readRateProviders(env.MDP_RATE_PROVIDERS, problems),
  };
}
