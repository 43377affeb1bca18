import { isHttpUrl, isRedisUrl } from './endpoint.url.js';
import {
  BooleanVariable,
  CheckedVariable,
  ChoiceVariable,
  IntegerVariable,
  NumberVariable,
  PatternVariable,
  TextVariable,
} from './environment.decorators.js';
import { isPostgresUrl } from './postgres.url.js';
import { PRINTABLE_NAME } from './printable.text.js';

const A_POSTGRES_URL =
  'a URL such as postgres://user:password@host:5432/database, special characters percent-encoded';

const AN_HOUR_S = 3_600;
const MANY_ROWS = 1_000_000_000;
/** One MiB: below it a single body of bars could be too large. */
const SMALLEST_SPOOL = 1_048_576;

/** The environment variables that the service reads, by their own names; unset ones are undefined. */
export class Environment {
  @TextVariable() APP_HOST?: string;
  @IntegerVariable({ min: 0, max: 65_535 }) APP_PORT?: number;
  @ChoiceVariable(['production', 'development', 'test']) NODE_ENV?: string;
  @ChoiceVariable(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']) LOG_LEVEL?: string;

  @CheckedVariable(isPostgresUrl, A_POSTGRES_URL) DATABASE_URL?: string;
  @CheckedVariable(isPostgresUrl, A_POSTGRES_URL) ADMIN_DATABASE_URL?: string;
  @IntegerVariable({ min: 2, max: 1_000 }) DB_POOL_MAX?: number;
  @TextVariable() MDS_DATA_DIR?: string;

  @TextVariable() ADMIN_TOKEN?: string;
  @TextVariable() ADMIN_TOKEN_FILE?: string;
  @TextVariable() INGEST_TOKEN?: string;
  @TextVariable() INGEST_TOKEN_FILE?: string;
  @TextVariable() FEEDBACK_TOKEN?: string;
  @TextVariable() FEEDBACK_TOKEN_FILE?: string;
  @TextVariable() READ_TOKEN?: string;
  @TextVariable() READ_TOKEN_FILE?: string;

  @TextVariable() MDS_CASE_SENSITIVE_PROVIDERS?: string;

  // Stores refuse events of a coordinator that is named otherwise.
  @PatternVariable(PRINTABLE_NAME, '1 to 256 printable characters') MDS_COORDINATOR_ID?: string;
  @IntegerVariable({ min: 1, max: MANY_ROWS }) MDS_COORDINATOR_CAPACITY?: number;
  @IntegerVariable({ min: 1, max: MANY_ROWS }) MDS_COORDINATOR_HIGH_WATERMARK?: number;
  @IntegerVariable({ min: 0, max: MANY_ROWS }) MDS_COORDINATOR_LOW_WATERMARK?: number;
  @IntegerVariable({ min: 1, max: 64 }) MDS_COORDINATOR_WORKERS?: number;
  @IntegerVariable({ min: 1, max: 1_000_000 }) MDS_COORDINATOR_BATCH_SIZE?: number;
  @NumberVariable({ min: 0, max: 60 }) MDS_COORDINATOR_FLUSH_INTERVAL?: number;

  @IntegerVariable({ min: SMALLEST_SPOOL, max: Number.MAX_SAFE_INTEGER }) MDS_SPOOL_MAX_BYTES?: number;
  @NumberVariable({ min: 0, max: 30 * 24 * AN_HOUR_S }) MDS_SPOOL_RETAIN_SEC?: number;
  @BooleanVariable() MDS_READY_WITHOUT_DATABASE?: boolean;

  @IntegerVariable({ min: 1, max: 100 }) MDS_RETRY_MAX_ATTEMPTS?: number;
  @IntegerVariable({ min: 1, max: 60_000 }) MDS_RETRY_INITIAL_BACKOFF_MS?: number;
  @IntegerVariable({ min: 1, max: 600_000 }) MDS_RETRY_MAX_BACKOFF_MS?: number;
  @NumberVariable({ min: 1, max: 10 }) MDS_RETRY_BACKOFF_MULTIPLIER?: number;
  @BooleanVariable() MDS_RETRY_JITTER?: boolean;
  @IntegerVariable({ min: 1, max: 1_000 }) MDS_CB_FAILURE_THRESHOLD?: number;
  @NumberVariable({ min: 0.1, max: AN_HOUR_S }) MDS_CB_HALF_OPEN_AFTER_SEC?: number;

  @BooleanVariable() MDS_FB_ENABLE_FEEDBACK?: boolean;
  @NumberVariable({ min: 0.05, max: AN_HOUR_S }) MDS_FB_HEARTBEAT_SEC?: number;
  @BooleanVariable() MDS_FB_ENABLE_HTTP_BROADCAST?: boolean;
  @CheckedVariable(isHttpUrl, 'an http or https URL') MDS_FB_HTTP_ENDPOINT?: string;
  @TextVariable() MDS_FB_HTTP_TOKEN?: string;
  @TextVariable() MDS_FB_HTTP_TOKEN_FILE?: string;
  @NumberVariable({ min: 0.05, max: 600 }) MDS_FB_HTTP_TIMEOUT?: number;
  @IntegerVariable({ min: 1, max: 100 }) MDS_FB_HTTP_MAX_RETRIES?: number;
  @NumberVariable({ min: 0, max: 600 }) MDS_FB_HTTP_BACKOFF?: number;
  @BooleanVariable() MDS_FB_ENABLE_REDIS?: boolean;
  @CheckedVariable(isRedisUrl, 'a URL such as redis://host:6379') REDIS_URL?: string;
  @TextVariable() MDS_FB_REDIS_CHANNEL?: string;

  @BooleanVariable() MDP_FB_ENABLE_FEEDBACK?: boolean;
  @TextVariable() MDP_FB_PROVIDER_NAME?: string;
  @NumberVariable({ min: 0, max: 1 }) MDP_FB_SCALE_OK?: number;
  @NumberVariable({ min: 0, max: 1 }) MDP_FB_SCALE_SOFT?: number;
  @NumberVariable({ min: 0, max: 1 }) MDP_FB_SCALE_HARD?: number;
  @BooleanVariable() MDP_FB_USE_CORE_CONTRACTS?: boolean;
  @BooleanVariable() MDP_FB_REDIS_SUBSCRIBE?: boolean;
  @TextVariable() MDP_RATE_PROVIDERS?: string;

  @NumberVariable({ min: 1, max: AN_HOUR_S }) MDS_SHUTDOWN_TIMEOUT_SEC?: number;
}
