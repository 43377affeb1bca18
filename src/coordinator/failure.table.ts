/**
 * What a failed write calls for. `unavailable`: the database, not the rows, is at fault; wait and try for ever.
 * `transient`: another try may well succeed. `permanent`: these rows, or this code, will fail again.
 */
export type FailureClass = (typeof FAILURE_CLASSES)[number];

const FAILURE_CLASSES = ['unavailable', 'transient', 'permanent'] as const;

/** An error's class, and the name by which the table knows it (`unknown` when it does not). */
export interface Failure {
  readonly class: FailureClass;
  readonly name: string;
}

type Table = Readonly<Record<string, readonly [FailureClass, string]>>;

/**
 * SQLSTATEs by their names in the PostgreSQL manual (appendix A, "PostgreSQL Error Codes"). Two characters stand
 * for a class; a full code goes before its class. What is not here, most of 22 and 23 above all, is permanent.
 */
const SQLSTATES: Table = {
  '08': ['unavailable', 'connection_exception'],
  // A malformed COPY field is reported so too: waiting would not mend it. PgBouncer's use of it: see below.
  '08P01': ['permanent', 'protocol_violation'],
  '0A000': ['transient', 'feature_not_supported'], // "cached plan must not change result type" after a migration
  // The table has other columns than we send, or of other types: no row is at fault.
  '22P03': ['unavailable', 'invalid_binary_representation'],
  '22P04': ['unavailable', 'bad_copy_file_format'],
  '23505': ['transient', 'unique_violation'], // the sink's second lane answers it; here it is a race that was lost
  '25006': ['unavailable', 'read_only_sql_transaction'], // a standby, or a primary being switched over
  '25P03': ['transient', 'idle_in_transaction_session_timeout'],
  '25P04': ['transient', 'transaction_timeout'],
  '26000': ['transient', 'invalid_sql_statement_name'], // a pooler gave us another session
  '28': ['unavailable', 'invalid_authorization_specification'],
  '3D000': ['unavailable', 'invalid_catalog_name'],
  '3F000': ['unavailable', 'invalid_schema_name'],
  '40': ['transient', 'transaction_rollback'], // 40001 serialization_failure, 40P01 deadlock_detected
  '42501': ['unavailable', 'insufficient_privilege'],
  // The schema is not the one that the statements are for: no row is at fault.
  '42703': ['unavailable', 'undefined_column'],
  '42704': ['unavailable', 'undefined_object'],
  '42804': ['unavailable', 'datatype_mismatch'],
  '42809': ['unavailable', 'wrong_object_type'],
  '42883': ['unavailable', 'undefined_function'],
  '42P01': ['unavailable', 'undefined_table'],
  '42P10': ['unavailable', 'invalid_column_reference'], // ON CONFLICT without its unique index
  '42P07': ['transient', 'duplicate_table'], // two replicas make the same partition
  '53': ['unavailable', 'insufficient_resources'], // 53100 disk_full, 53200 out_of_memory, 53300 too_many_connections
  '55006': ['transient', 'object_in_use'],
  '55P03': ['transient', 'lock_not_available'],
  '57': ['unavailable', 'operator_intervention'], // 57P01 admin_shutdown, 57P02 crash_shutdown, 57P03 cannot_connect_now
  '57014': ['transient', 'query_canceled'], // statement_timeout: a smaller batch may pass
  '58': ['unavailable', 'system_error'], // 58030 io_error
  XX: ['unavailable', 'internal_error'], // XX001 data_corrupted, XX002 index_corrupted
};

/** Codes that Node puts on the errors of its resolver, sockets, TLS and streams. */
const NODE_CODES: Readonly<Record<FailureClass, ReadonlySet<string>>> = {
  unavailable: new Set([
    ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EPROTO', 'EADDRNOTAVAIL'],
    ...['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENETRESET', 'EMFILE', 'ENFILE'],
    ...['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME'],
    ...['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
    ...[
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
  ]),
  // What a COPY stream says when its connection goes; if the server is away, the next try says so plainly.
  transient: new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']),
  permanent: new Set(),
};

/**
 * pg and pg-pool make these errors without any code, so the message is all there is to know them by. Each is the
 * whole message, to the letter, as in pg 8 (client.js, connection.js) and pg-pool 3 (index.js).
 */
const CODELESS_MESSAGES = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Query read timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Cannot use a pool after calling end on the pool',
  'The server does not support SSL connections',
  'There was an error establishing an SSL connection',
]);

/** All that pg (crypto/sasl.js) throws while it authenticates begins so: a password that is missing, for example. */
const SASL_PREFIX = 'SASL: ';

/** No SQLSTATE begins with E, as the errno names of the same length (EPIPE, EPERM) do. */
const SQLSTATE = /^[0-9FHPX][0-9A-Z]{4}$/;

const UNKNOWN: Failure = { class: 'permanent', name: 'unknown' };

/** Looks an error up in the table, and failing that its `cause`, and then each of its `errors`. */
export function lookUpFailure(error: unknown): Failure {
  return find(error, new Set()) ?? UNKNOWN;
}

/** The class of an error; one that the table does not know, a TypeError for example, is permanent. */
export function classifyFailure(error: unknown): FailureClass {
  return lookUpFailure(error).class;
}

/** The SQLSTATE that PostgreSQL gave an error, if it did. */
export function sqlstateOf(error: unknown): string | undefined {
  const { code }: { code?: unknown } = typeof error === 'object' && error !== null ? error : {};
  return typeof code === 'string' && SQLSTATE.test(code) ? code : undefined;
}

function find(error: unknown, seen: Set<object>): Failure | undefined {
  // Not instanceof Error: errors may come from another realm, and an error may be its own cause.
  if (typeof error !== 'object' || error === null || seen.has(error)) return undefined;
  seen.add(error);
  const { cause, errors }: { cause?: unknown; errors?: unknown } = error;
  const own = ownFailure(error) ?? find(cause, seen);
  if (own || !Array.isArray(errors)) return own;
  // One address of a host may time out and another refuse: any of them that is known will do.
  for (const part of errors) {
    const found = find(part, seen);
    if (found) return found;
  }
  return undefined;
}

function ownFailure(error: { code?: unknown; severity?: unknown; syscall?: unknown; message?: unknown }) {
  const { code, message } = error;
  if (typeof code !== 'string') return typeof message === 'string' ? codelessFailure(message) : undefined;
  // PgBouncer reports its own troubles (no server, query_wait_timeout) as 08P01, and fatally; COPY never does.
  if (code === '08P01' && error.severity === 'FATAL') return failure('unavailable', 'pooler_error');
  // ENOENT or EACCES on a connect is a missing socket; anywhere else it would be a bug.
  if (error.syscall === 'connect') return failure('unavailable', code);
  if (SQLSTATE.test(code)) {
    return failure(
      ...(SQLSTATES[code] ?? SQLSTATES[code.slice(0, 2)] ?? (['permanent', `sqlstate_${code}`] as const)),
    );
  }
  const known = FAILURE_CLASSES.find((failureClass) => NODE_CODES[failureClass].has(code));
  return known && failure(known, code);
}

function codelessFailure(message: string): Failure | undefined {
  if (message.startsWith(SASL_PREFIX)) return failure('unavailable', 'authentication_failed');
  return CODELESS_MESSAGES.has(message) ? failure('unavailable', 'connection_lost') : undefined;
}

function failure(failureClass: FailureClass, name: string): Failure {
  return { class: failureClass, name };
}
