/**
 * What a failed write calls for.
 * `data`: PostgreSQL refuses values. The only class that may lead to a dead letter, and only of a row that fails alone.
 * `transient`: a race was lost; another try may well succeed.
 * `timeout`: the write took longer than somebody allows; fewer rows may pass.
 * `unavailable`: the server, its state or our statements are at fault, and no row is: wait.
 * `unknown`: nobody knows, so wait.
 */
export const FAILURE_CLASSES = ['data', 'transient', 'timeout', 'unavailable', 'unknown'] as const;

/** One of them. */
export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** What the failure table knows of an error. */
export interface Failure {
  readonly class: FailureClass;
  /** The name by which the table knows it; `unknown` when it does not. */
  readonly name: string;
  /** True when the row is at fault if it alone keeps failing so. */
  readonly blamesRow: boolean;
}

type Decision = readonly [FailureClass, name?: string];
type Table = Readonly<Record<string, Decision>>;

/** A race with another transaction, and the row's fault only when it does not end. */
const CONFLICTS: ReadonlySet<string> = new Set(['23503', '23505', '23P01']);

/**
 * Every class of appendix A of the PostgreSQL manual ("PostgreSQL Error Codes"), by its first two characters, and the
 * codes that differ from their class. A name is that of the manual; without one it is `sqlstate_` and the code. A test
 * walks the list of the server's own codes: none may be undecided.
 */
const SQLSTATES: Table = {
  '00': ['unavailable', 'successful_completion'],
  '01': ['unavailable', 'warning'],
  '02': ['unavailable', 'no_data'],
  '03': ['unavailable', 'sql_statement_not_yet_complete'],
  '08': ['unavailable', 'connection_exception'], // PgBouncer too says 08P01 when it has no server
  '09': ['unavailable', 'triggered_action_exception'],
  '0A': ['unavailable', 'feature_not_supported'],
  '0A000': ['transient', 'feature_not_supported'], // "cached plan must not change result type" after a migration
  '0B': ['unavailable', 'invalid_transaction_initiation'],
  '0F': ['unavailable', 'locator_exception'],
  '0L': ['unavailable', 'invalid_grantor'],
  '0P': ['unavailable', 'invalid_role_specification'],
  '0Z': ['unavailable', 'diagnostics_exception'],
  '10': ['unavailable', 'xquery_error'],
  '20': ['data'], // a CASE in a trigger that has no branch for the row
  '21': ['unavailable', 'cardinality_violation'],
  '22': ['data'],
  '2200H': ['unavailable', 'sequence_generator_limit_exceeded'], // no more ids for series
  // The table has other columns than we send, or of other types: no row is at fault.
  '22P03': ['unavailable', 'invalid_binary_representation'],
  '22P04': ['unavailable', 'bad_copy_file_format'],
  '23': ['data'],
  '23503': ['transient', 'foreign_key_violation'],
  '23505': ['transient', 'unique_violation'],
  '23P01': ['transient', 'exclusion_violation'],
  '24': ['unavailable', 'invalid_cursor_state'],
  '25': ['unavailable', 'invalid_transaction_state'], // 25006: a standby, or a primary being switched over
  '25P03': ['transient', 'idle_in_transaction_session_timeout'],
  '25P04': ['timeout', 'transaction_timeout'],
  '26': ['transient', 'invalid_sql_statement_name'], // a pooler gave us another session
  '27': ['unavailable', 'triggered_data_change_violation'],
  '28': ['unavailable', 'invalid_authorization_specification'],
  '2B': ['unavailable', 'dependent_privilege_descriptors_still_exist'],
  '2D': ['unavailable', 'invalid_transaction_termination'],
  '2F': ['unavailable', 'sql_routine_exception'],
  '34': ['unavailable', 'invalid_cursor_name'],
  '38': ['unavailable', 'external_routine_exception'],
  '39': ['unavailable', 'external_routine_invocation_exception'],
  '3B': ['unavailable', 'savepoint_exception'],
  '3D': ['unavailable', 'invalid_catalog_name'],
  '3F': ['unavailable', 'invalid_schema_name'],
  '40': ['transient', 'transaction_rollback'], // 40001 serialization_failure, 40P01 deadlock_detected
  // Missing tables, columns, permissions: the schema is not the one that the statements are for.
  '42': ['unavailable', 'syntax_error_or_access_rule_violation'],
  '42501': ['unavailable', 'insufficient_privilege'],
  '42703': ['unavailable', 'undefined_column'],
  '42704': ['unavailable', 'undefined_object'],
  '42804': ['unavailable', 'datatype_mismatch'],
  '42809': ['unavailable', 'wrong_object_type'],
  '42883': ['unavailable', 'undefined_function'],
  '42P01': ['unavailable', 'undefined_table'],
  '42P05': ['transient', 'duplicate_prepared_statement'], // a pooler gave us another session
  '42P07': ['unavailable', 'duplicate_table'], // a detached partition has the name of the one to be made
  '42P10': ['unavailable', 'invalid_column_reference'], // ON CONFLICT without its unique index
  '44': ['data'],
  '53': ['unavailable', 'insufficient_resources'], // 53100 disk_full, 53200 out_of_memory, 53300 too_many_connections
  '54': ['unavailable', 'program_limit_exceeded'], // 54000 also when transaction ids run out
  '55': ['unavailable', 'object_not_in_prerequisite_state'],
  '55006': ['transient', 'object_in_use'],
  '55P03': ['timeout', 'lock_not_available'],
  '57': ['unavailable', 'operator_intervention'], // 57P01 admin_shutdown, 57P02 crash_shutdown, 57P03 cannot_connect_now
  '57014': ['timeout', 'query_canceled'], // by statement_timeout, or by an operator
  '58': ['unavailable', 'system_error'], // 58030 io_error
  F0: ['unavailable', 'config_file_error'],
  HV: ['unavailable', 'fdw_error'],
  P0: ['data'], // what PL/pgSQL raises: P0001 raise_exception, P0004 assert_failure
  XX: ['unavailable', 'internal_error'], // XX001 data_corrupted, XX002 index_corrupted
};

/** PostgreSQL's functions that raise 23514 for a row because a partition is missing or is another one. */
const PARTITION_ROUTINES: ReadonlySet<unknown> = new Set([
  'ExecFindPartition',
  'ExecPartitionCheckEmitError',
]);
/** The one that raises what a RAISE of PL/pgSQL says. */
const RAISE_ROUTINE = 'exec_stmt_raise';

/** Codes that Node puts on the errors of its resolver, sockets, TLS and streams. */
const NODE_CODES: Readonly<Record<'unavailable' | 'transient', ReadonlySet<string>>> = {
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
  // What a COPY stream says when its connection goes; if the server is unreachable, the next try says so plainly.
  transient: new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']),
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
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Cannot use a pool after calling end on the pool',
  'The server does not support SSL connections',
  'There was an error establishing an SSL connection',
]);

/** What pg's `query_timeout` says: the statement took too long, the connection is sound. */
const QUERY_TIMEOUT = 'Query read timeout';

/** All that pg (crypto/sasl.js) throws while it authenticates begins so: a password that is missing, for example. */
const SASL_PREFIX = 'SASL: ';

const SQLSTATE = /^[0-9A-Z]{5}$/;

const UNKNOWN: Failure = { class: 'unknown', name: 'unknown', blamesRow: false };

/** Looks an error up in the table; when it is not there its `cause`, and then each of its `errors`. */
export function lookUpFailure(error: unknown): Failure {
  return find(error, new Set()) ?? UNKNOWN;
}

/** The class of an error. */
export function classifyFailure(error: unknown): FailureClass {
  return lookUpFailure(error).class;
}

/** The SQLSTATE that PostgreSQL gave an error, if it did. */
export function sqlstateOf(error: unknown): string | undefined {
  const { code, severity }: ErrorFields = typeof error === 'object' && error !== null ? error : {};
  if (typeof code !== 'string' || !SQLSTATE.test(code)) return undefined;
  // Only a RAISE makes a SQLSTATE that begins with E; without a severity it is an errno, such as EPIPE.
  return code.startsWith('E') && severity === undefined ? undefined : code;
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

interface ErrorFields {
  readonly code?: unknown;
  readonly severity?: unknown;
  readonly syscall?: unknown;
  readonly routine?: unknown;
  readonly message?: unknown;
}

function ownFailure(error: ErrorFields): Failure | undefined {
  const { code, message, syscall } = error;
  if (typeof code !== 'string') return typeof message === 'string' ? codelessFailure(message) : undefined;
  // ENOENT or EACCES on a connect is a missing socket; anywhere else it would be a bug.
  if (syscall === 'connect') return failure('unavailable', code);
  if (sqlstateOf(error) !== undefined) return sqlstateFailure(code, error);
  // A socket's time-out has the name of a system call; without one it is the limit that the sink gives a write.
  if (code === 'ETIMEDOUT' && syscall === undefined) return failure('timeout', code);
  if (NODE_CODES.unavailable.has(code)) return failure('unavailable', code);
  return NODE_CODES.transient.has(code) ? failure('transient', code) : undefined;
}

function sqlstateFailure(code: string, { severity, routine }: ErrorFields): Failure {
  const name = `sqlstate_${code}`;
  const decision = SQLSTATES[code] ?? SQLSTATES[code.slice(0, 2)];
  // A code of their own: a class that PostgreSQL does not have.
  if (!decision) return routine === RAISE_ROUTINE ? failure('data', name, true) : failure('unknown', name);
  if (code === '23514' && PARTITION_ROUTINES.has(routine)) return failure('unavailable', 'no_partition');
  const [failureClass, known = name] = decision;
  const blamesRow = failureClass === 'data' || CONFLICTS.has(code);
  // What ends the session was not about a row.
  if (blamesRow && (severity === 'FATAL' || severity === 'PANIC')) return failure('unavailable', known);
  return failure(failureClass, known, blamesRow);
}

function codelessFailure(message: string): Failure | undefined {
  if (message === QUERY_TIMEOUT) return failure('timeout', 'query_timeout');
  if (message.startsWith(SASL_PREFIX)) return failure('unavailable', 'authentication_failed');
  return CODELESS_MESSAGES.has(message) ? failure('unavailable', 'connection_lost') : undefined;
}

function failure(failureClass: FailureClass, name: string, blamesRow = false): Failure {
  return { class: failureClass, name, blamesRow };
}
