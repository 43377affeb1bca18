import { reasonOf } from '../logging/error.text.js';
import { type Metrics, startAtZero } from '../metrics/metrics.catalogue.js';
import { readOnScrape } from '../metrics/read.on.scrape.js';
import type { CircuitState } from './circuit.breaker.js';
import type { DurableSnapshot } from './durable.options.js';
import { FAILURE_CLASSES } from './failure.table.js';
import type { SpoolObserver, SpoolSnapshot } from './spool/spool.options.js';
import { REFUSAL_REASONS, type WriteObserver } from './write.observer.js';

const CIRCUIT_VALUES: Readonly<Record<CircuitState, number>> = { closed: 0, open: 1, half_open: 2 };

/** Where warnings go. */
interface Log {
  warn(message: string): void;
  error(message: string, stack?: string): void;
}

/** Turns what a coordinator tells into metrics and log lines. */
export function coordinatorObserver(
  { id: coordId, workers }: { readonly id: string; readonly workers: number },
  metrics: Metrics,
  log: Log,
): WriteObserver {
  const coordinator = { coord_id: coordId };
  metrics.itemsSubmitted.inc(coordinator, 0);
  metrics.bodiesRefused.inc(coordinator, 0);
  startAtZero(metrics.itemsDropped, 'reason', REFUSAL_REASONS, coordinator);
  for (const worker of [...Array(workers).keys(), 'isolator']) {
    const labels = { ...coordinator, worker_id: String(worker) };
    metrics.batchesWritten.inc(labels, 0);
    startAtZero(metrics.writeErrors, 'error_type', FAILURE_CLASSES, labels);
  }
  return {
    onAccepted: (rows) => {
      metrics.rowsAccepted.inc(rows);
      metrics.itemsSubmitted.inc({ coord_id: coordId }, rows);
    },
    onRefused: (rows, reason) => metrics.itemsDropped.inc({ coord_id: coordId, reason }, rows),
    onRefusedUnread: () => metrics.bodiesRefused.inc({ coord_id: coordId }),
    onBatchWritten: (caller, _rows, _entries, seconds) => {
      const labels = { coord_id: coordId, worker_id: String(caller) };
      metrics.batchesWritten.inc(labels);
      metrics.writeLatency.observe(labels, seconds);
    },
    onWriteError: (caller, errorClass, error, attempt) => {
      metrics.writeErrors.inc({ coord_id: coordId, worker_id: String(caller), error_type: errorClass });
      const who = caller === 'isolator' ? caller : `worker ${caller}`;
      log.warn(`${who}: try ${attempt} of a write failed (${errorClass}): ${reasonOf(error)}`);
    },
    onDeadLetter: (id, rows, reason) =>
      log.warn(`${rows} rows were refused by the database (${reason}) and are dead letter ${id}`),
    onFeedError: (error) => log.error(`the spool or the dead letters cannot be used now: ${reasonOf(error)}`),
    onWorkerBug: (error) => {
      log.error(`a worker met an error in its own code: ${reasonOf(error)}`, stackOf(error));
    },
  };
}

/** Turns what a spool tells into metrics and log lines. `setBlocked` hears whether it takes entries. */
export function spoolObserver(
  metrics: Metrics,
  log: Log & { log(message: string): void },
  setBlocked: (blocked: boolean) => void,
): SpoolObserver {
  return {
    onSync: (seconds) => metrics.spoolFsync.observe(seconds),
    onFault: (error) => {
      log.error(`no bars are taken: ${reasonOf(error)}${causeOf(error)}`);
      setBlocked(true);
    },
    onHealed: () => {
      log.log('the spool takes bars again');
      setBlocked(false);
    },
    onQuarantine: (file, bytes, rows) =>
      log.error(`${bytes} damaged bytes of the spool (${rows ?? 'unknown'} rows) were put aside in ${file}`),
    onUnread: (path, offset, error) => {
      metrics.spoolReadErrors.inc();
      log.error(
        `the disk does not read ${path} from byte ${offset} on: ${reasonOf(error)}; it is tried again until it does, and nothing of it is given up`,
      );
    },
    onRead: (path, offset) => log.log(`the disk has read ${path} from byte ${offset} on`),
    onRetry: (what, error) => log.warn(`${what} failed and will be tried again: ${reasonOf(error)}`),
  };
}

/** Lets every scrape read the coordinator as it is then. */
export function exposeCoordinator(coordinator: { snapshot(): DurableSnapshot }, metrics: Metrics): void {
  const expose = (gauge: Metrics['queueDepth'], valueOf: (snapshot: DurableSnapshot) => number): void => {
    readOnScrape(gauge, () => {
      const snapshot = coordinator.snapshot();
      gauge.set({ coord_id: snapshot.coordinatorId }, valueOf(snapshot));
    });
  };
  expose(metrics.queueDepth, (snapshot) => snapshot.queueSize);
  expose(metrics.queueCapacity, (snapshot) => snapshot.capacity);
  expose(metrics.workersAlive, (snapshot) => snapshot.workersAlive);
  expose(metrics.isolatedRows, (snapshot) => snapshot.isolation.rows);
  expose(metrics.waitingRows, (snapshot) => snapshot.isolation.waitingRows);
  expose(metrics.circuitState, (snapshot) => CIRCUIT_VALUES[snapshot.circuitState]);
  readOnScrape(metrics.rowsResidual, () => metrics.rowsResidual.set(coordinator.snapshot().rows.residual));
  readOnScrape(metrics.rowsUnread, () => metrics.rowsUnread.set(coordinator.snapshot().rows.unread));
  readOnScrape(metrics.rowsLost, () => metrics.rowsLost.set(coordinator.snapshot().rows.lost));
  const exposeSpool = (gauge: Metrics['spoolBytes'], valueOf: (spool: SpoolSnapshot) => number): void => {
    readOnScrape(gauge, () => gauge.set(valueOf(coordinator.snapshot().spool)));
  };
  exposeSpool(metrics.spoolBytes, ({ bytes }) => bytes);
  exposeSpool(metrics.spoolMaxBytes, ({ maxBytes }) => maxBytes);
  exposeSpool(metrics.spoolUnsettledBytes, ({ unsettledBytes }) => unsettledBytes);
  exposeSpool(metrics.spoolOldestAge, ({ oldestAgeSeconds }) => oldestAgeSeconds);
  readOnScrape(metrics.deadLetters, () => metrics.deadLetters.set(coordinator.snapshot().deadLetters));
}

function causeOf({ cause }: Error): string {
  return cause === undefined ? '' : ` (${reasonOf(cause)})`;
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
