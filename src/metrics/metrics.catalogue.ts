import { Counter, Gauge, Histogram, register } from 'prom-client';

import { BACKPRESSURE_LEVELS } from '../core/backpressure.level.js';

/** From half a millisecond to ten seconds: the span between a cached read and a time-out. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Gives a counter its samples before there is anything to count, for all values of one label and the values given of the
 * others: a sample that first appears with a value hides that value from rate() and increase().
 */
export function startAtZero<Labels extends string>(
  counter: Counter<Labels>,
  label: NoInfer<Labels>,
  values: Iterable<string | number>,
  others: Partial<Record<NoInfer<Labels>, string | number>> = {},
): void {
  for (const value of values) counter.inc({ ...others, [label]: value }, 0);
}

/** Every metric of the service. Existing dashboards rely on names and labels; never a symbol as a label. */
export class Metrics {
  readonly storeUp = new Gauge({
    name: 'store_up',
    help: 'Whether the database answers: 1 yes, 0 no.',
  });
  readonly buildInfo = new Gauge({
    name: 'mds_build_info',
    help: 'Always 1; the labels tell which build runs.',
    labelNames: ['version', 'revision'] as const,
  });
  readonly migrationsApplied = new Counter({
    name: 'migrations_applied_total',
    help: 'Schema migrations applied by this process.',
  });

  readonly httpRequests = new Counter({
    name: 'http_requests_total',
    help: 'HTTP requests answered, by method, route template (unknown: there is no such route) and status.',
    labelNames: ['method', 'endpoint', 'status'] as const,
  });
  readonly httpDuration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time that requests took; the wait of a refusal that is held up counts, and for small bodies it begins when they are whole.',
    labelNames: ['method', 'endpoint'] as const,
    buckets: LATENCY_BUCKETS,
  });

  readonly requestsRefused = new Counter({
    name: 'mds_requests_refused_total',
    help: 'Requests answered with a problem document, by its code (docs/errors.md).',
    labelNames: ['code'] as const,
  });
  readonly rowsRejected = new Counter({
    name: 'mds_rows_rejected_total',
    help: 'Bad rows found in bodies, by code (docs/errors.md); of a body that is refused as a whole, those that were looked at.',
    labelNames: ['code'] as const,
  });

  readonly barsWritten = new Counter({
    name: 'store_bars_written_total',
    help: 'Bars handed to PostgreSQL, by lane and outcome of the write.',
    labelNames: ['method', 'status'] as const,
  });
  readonly barsWriteLatency = new Histogram({
    name: 'store_bars_write_latency_seconds',
    help: 'Time that PostgreSQL took for one write, by lane.',
    labelNames: ['method'] as const,
    buckets: LATENCY_BUCKETS,
  });
  readonly rowsAccepted = new Counter({
    name: 'mds_rows_accepted_total',
    help: 'Bars safe on disk and answered since the start; one repeated in a body counts once.',
  });
  readonly rowsCommitted = new Counter({
    name: 'mds_rows_committed_total',
    help: 'Accepted bars that were committed, by what became of them.',
    labelNames: ['outcome'] as const,
  });
  readonly barsFromFuture = new Counter({
    name: 'mds_bars_from_future_total',
    help: 'Stored versions whose time of receipt was more than a minute ahead, and that gave way to one received now.',
  });
  readonly rowsResidual = new Gauge({
    name: 'mds_rows_residual',
    help: 'Accepted bars that are nowhere: 0, unless a disk lost some. Exact over restarts.',
  });
  readonly rowsUnread = new Gauge({
    name: 'mds_rows_unread',
    help: 'Accepted bars that are in the spool where its disk does not read now; it is tried again until it does.',
  });
  readonly rowsLost = new Gauge({
    name: 'mds_rows_lost',
    help: 'Accepted bars that an operator gave up, since the spool was made.',
  });
  readonly spoolReadErrors = new Counter({
    name: 'mds_spool_read_errors_total',
    help: 'Reads of the spool that failed; each is tried again.',
  });
  readonly spoolBytes = new Gauge({
    name: 'mds_spool_bytes',
    help: 'Bytes of the spool on disk, those kept for replay included.',
  });
  readonly spoolMaxBytes = new Gauge({
    name: 'mds_spool_max_bytes',
    help: 'Most bytes of the spool (MDS_SPOOL_MAX_BYTES).',
  });
  readonly spoolUnsettledBytes = new Gauge({
    name: 'mds_spool_unsettled_bytes',
    help: 'Bytes of the segments of the spool that hold bars still to be written, without those kept for replay.',
  });
  readonly spoolOldestAge = new Gauge({
    name: 'mds_spool_oldest_age_seconds',
    help: 'How long ago the oldest bars that are still to be written were received; 0 when there are none.',
  });
  readonly spoolFsync = new Histogram({
    name: 'mds_spool_fsync_seconds',
    help: 'Time of each write of the spool until it is on disk.',
    buckets: LATENCY_BUCKETS,
  });
  readonly deadLetters = new Gauge({
    name: 'mds_dlq_records',
    help: 'Records in the dead-letter queue.',
  });
  readonly lastBar = new Gauge({
    name: 'mds_last_bar_timestamp_seconds',
    help: 'Start of the newest bar of any symbol, those stored before the start included.',
    labelNames: ['provider', 'interval'] as const,
  });
  readonly seriesByAge = new Gauge({
    name: 'mds_series_by_age',
    help: 'Series whose newest bar began within this time before now; ever: all that have a bar. Cumulative; counted about once a minute.',
    labelNames: ['provider', 'interval', 'within'] as const,
  });
  readonly lastCommit = new Gauge({
    name: 'mds_last_commit_timestamp_seconds',
    help: 'When bars were last committed; 0 when none were since the start.',
  });

  readonly itemsSubmitted = new Counter({
    name: 'mds_coord_items_submitted_total',
    help: 'Bars that the coordinator took.',
    labelNames: ['coord_id'] as const,
  });
  readonly itemsDropped = new Counter({
    name: 'mds_coord_items_dropped_total',
    help: 'Bars that the coordinator did not take or could not write, by reason; their senders were told.',
    labelNames: ['coord_id', 'reason'] as const,
  });
  readonly bodiesRefused = new Counter({
    name: 'mds_coord_bodies_refused_total',
    help: 'Bodies refused unread for want of room in the spool; how many bars they had is not known.',
    labelNames: ['coord_id'] as const,
  });
  readonly queueDepth = new Gauge({
    name: 'mds_coord_queue_depth',
    help: 'Bars accepted that are to be written, on disk and in memory, without those that wait for long.',
    labelNames: ['coord_id'] as const,
  });
  readonly queueCapacity = new Gauge({
    name: 'mds_coord_queue_capacity',
    help: 'Bars that memory holds at most; more wait on disk.',
    labelNames: ['coord_id'] as const,
  });
  readonly workersAlive = new Gauge({
    name: 'mds_coord_workers_alive',
    help: 'Workers running.',
    labelNames: ['coord_id'] as const,
  });
  readonly circuitState = new Gauge({
    name: 'mds_coord_circuit_state',
    help: 'Circuit breaker to the database: 0 closed, 1 open, 2 half-open.',
    labelNames: ['coord_id'] as const,
  });
  readonly isolatedRows = new Gauge({
    name: 'mds_coord_isolated_rows',
    help: 'Bars that failed while the database took others: tried apart, or waiting.',
    labelNames: ['coord_id'] as const,
  });
  readonly waitingRows = new Gauge({
    name: 'mds_coord_waiting_rows',
    help: 'Bars that wait, and are tried again, though the database takes others.',
    labelNames: ['coord_id'] as const,
  });
  readonly batchesWritten = new Counter({
    name: 'mds_worker_batches_written_total',
    help: 'Writes to PostgreSQL that were committed, by worker.',
    labelNames: ['coord_id', 'worker_id'] as const,
  });
  readonly writeErrors = new Counter({
    name: 'mds_worker_write_errors_total',
    help: 'Writes that failed, by worker and class of error.',
    labelNames: ['coord_id', 'worker_id', 'error_type'] as const,
  });
  readonly writeLatency = new Histogram({
    name: 'mds_worker_write_latency_seconds',
    help: 'Time of a write that was committed, without earlier tries that failed, by worker.',
    labelNames: ['coord_id', 'worker_id'] as const,
    buckets: LATENCY_BUCKETS,
  });

  readonly feedbackEvents = new Counter({
    name: 'mds_feedback_events_total',
    help: 'Feedback events of this and of other stores, by level.',
    labelNames: ['level'] as const,
  });
  readonly feedbackQueueDepth = new Gauge({
    name: 'pipeline_feedback_queue_depth',
    help: 'Rows that a coordinator told that it holds, by coordinator.',
    labelNames: ['source'] as const,
  });
  readonly rateScale = new Gauge({
    name: 'pipeline_rate_scale_factor',
    help: 'Share of its full rate that a provider may send: 0 pauses, 1 is all.',
    labelNames: ['provider'] as const,
  });
  readonly backpressureState = new Gauge({
    name: 'pipeline_backpressure_state',
    help: 'Level that set the rate of a provider: 0 ok, 1 soft, 2 hard.',
    labelNames: ['provider'] as const,
  });

  readonly clockOffset = new Gauge({
    name: 'mds_clock_offset_seconds',
    help: "The machine's clock less PostgreSQL's; NaN until that one was read. Times of receipt follow PostgreSQL's.",
  });
  readonly receiptClockAhead = new Gauge({
    name: 'mds_receipt_clock_ahead_seconds',
    help: "How far times of receipt are ahead of PostgreSQL's clock: 0, unless it is waited for; NaN until it was read.",
  });
  readonly legacyRows = new Gauge({
    name: 'mds_legacy_rows',
    help: "Rows of an earlier release's table, by what became of them: copied, left where they are, or pending (an estimate).",
    labelNames: ['state'] as const,
  });
  readonly legacyRowsLeft = new Gauge({
    name: 'mds_legacy_rows_left',
    help: "Rows of an earlier release's table that could not be copied, by why; the table legacy_left names their series.",
    labelNames: ['reason'] as const,
  });
  readonly poolConnections = new Gauge({
    name: 'mds_db_pool_connections',
    help: 'Database connections by state; waiting counts requests for one.',
    labelNames: ['state'] as const,
  });

  constructor() {
    startAtZero(this.rowsCommitted, 'outcome', ['inserted', 'updated', 'unchanged', 'superseded']);
    startAtZero(this.feedbackEvents, 'level', BACKPRESSURE_LEVELS);
    for (const state of ['copied', 'left', 'pending']) this.legacyRows.set({ state }, 0);
    for (const method of ['COPY', 'UPSERT']) {
      for (const status of ['success', 'failure']) this.barsWritten.inc({ method, status }, 0);
    }
  }

  /** How many metrics are registered, ours and the runtime's. */
  count(): number {
    return register.getMetricsAsArray().length;
  }
}
