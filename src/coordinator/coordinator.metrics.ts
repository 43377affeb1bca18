import type { Metrics } from '../metrics/metrics.catalogue.js';
import { readOnScrape } from '../metrics/read.on.scrape.js';
import type { CircuitState } from './circuit.breaker.js';
import type { CoordinatorSnapshot } from './coordinator.options.js';
import type { WriteObserver } from './write.observer.js';

const CIRCUIT_VALUES: Readonly<Record<CircuitState, number>> = { closed: 0, open: 1, half_open: 2 };

/** Where warnings go. */
interface Log {
  warn(message: string): void;
  error(message: string, stack?: string): void;
}

/** Turns what a coordinator tells into metrics and log lines. */
export function coordinatorObserver(coordId: string, metrics: Metrics, log: Log): WriteObserver {
  return {
    onAccepted: (rows) => {
      metrics.rowsAccepted.inc(rows);
      metrics.itemsSubmitted.inc({ coord_id: coordId }, rows);
    },
    onRefused: (rows, reason) => metrics.itemsDropped.inc({ coord_id: coordId, reason }, rows),
    onBatchWritten: (workerId, _rows, _entries, seconds) => {
      const labels = { coord_id: coordId, worker_id: String(workerId) };
      metrics.batchesWritten.inc(labels);
      metrics.writeLatency.observe(labels, seconds);
    },
    onWriteError: (workerId, errorClass, error, attempt) => {
      metrics.writeErrors.inc({ coord_id: coordId, worker_id: String(workerId), error_type: errorClass });
      log.warn(`worker ${workerId}: try ${attempt} of a write failed (${errorClass}): ${reasonOf(error)}`);
    },
    onWorkerBug: (error) => {
      log.error(`a worker met an error in its own code: ${reasonOf(error)}`, stackOf(error));
    },
  };
}

/** Lets every scrape read the coordinator as it is then. */
export function exposeCoordinator(coordinator: { snapshot(): CoordinatorSnapshot }, metrics: Metrics): void {
  const expose = (gauge: Metrics['queueDepth'], valueOf: (snapshot: CoordinatorSnapshot) => number): void => {
    readOnScrape(gauge, () => {
      const snapshot = coordinator.snapshot();
      gauge.set({ coord_id: snapshot.coordinatorId }, valueOf(snapshot));
    });
  };
  expose(metrics.queueDepth, (snapshot) => snapshot.queueSize);
  expose(metrics.queueCapacity, (snapshot) => snapshot.capacity);
  expose(metrics.workersAlive, (snapshot) => snapshot.workersAlive);
  expose(metrics.circuitState, (snapshot) => CIRCUIT_VALUES[snapshot.circuitState]);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
