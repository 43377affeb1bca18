import type { BackpressureLevel } from '../../core/backpressure.level.js';
import type { FeedbackPublisher } from '../../core/protocols.js';
import type { CircuitChange, CircuitState } from '../circuit.breaker.js';
import type { CoordinatorSnapshot } from '../coordinator.options.js';
import { callGuarded, warn } from '../guarded.call.js';
import type { Listener } from '../guarded.listeners.js';
import type { LevelChange } from '../queue.options.js';
import { FeedbackEvent, type FeedbackReason } from './store.feedback.event.js';

const SECOND = 1000;

/** What the signaller needs of a coordinator. */
export interface SignalSource {
  snapshot(): CoordinatorSnapshot;
  onLevelChange(listener: Listener<LevelChange>): Disposable;
  onCircuitChange(listener: Listener<CircuitChange>): Disposable;
}

/** Settings of a LevelSignaller. */
export interface LevelSignallerOptions {
  /** Milliseconds after which the level is sent again; default 5,000. */
  readonly heartbeatMs?: number | undefined;
  /** Gets what the publisher throws or rejects with; default: a process warning. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * Publishes a coordinator's level: each crossing once, the circuit's opening and closing, and the level again every
 * heartbeat while it is not `ok` and once after it returned to `ok`, for a lost `ok` must not stop producers for ever.
 * While the circuit is not closed the level is `hard` whatever the queue does, so its crossings are not signalled then.
 */
export class LevelSignaller {
  private readonly heartbeatMs: number;
  private readonly onError: (error: unknown) => void;
  private subscriptions: Disposable[] = [];
  private circuit: CircuitState = 'closed';
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(
    private readonly coordinator: SignalSource,
    private readonly publisher: FeedbackPublisher,
    options: LevelSignallerOptions = {},
  ) {
    this.heartbeatMs = options.heartbeatMs ?? 5 * SECOND;
    this.onError = options.onError ?? warn;
  }

  /** Begins to signal; a second call does nothing. */
  start(): void {
    if (this.subscriptions.length > 0) return;
    const snapshot = this.coordinator.snapshot();
    this.circuit = snapshot.circuitState;
    this.subscriptions = [
      this.coordinator.onLevelChange((change) => this.crossed(change)),
      this.coordinator.onCircuitChange((change) => this.circuitChanged(change)),
    ];
    if (effectiveLevel(snapshot) !== 'ok') this.armHeartbeat();
  }

  /** Falls silent; a second call does nothing. */
  stop(): void {
    for (const subscription of this.subscriptions) subscription[Symbol.dispose]();
    this.subscriptions = [];
    clearTimeout(this.heartbeat);
  }

  private crossed({ level, reason, size, capacity }: LevelChange): void {
    if (this.circuit !== 'closed') return;
    this.signal(level, reason, size, capacity);
    this.armHeartbeat();
  }

  private circuitChanged({ state, previous }: CircuitChange): void {
    this.circuit = state;
    const { queueSize, capacity, level } = this.coordinator.snapshot();
    if (state === 'closed') this.signal(level, 'circuit_closed', queueSize, capacity);
    else if (previous === 'closed') this.signal('hard', 'circuit_open', queueSize, capacity);
    // A probe, and its failure, change nothing for producers.
    else return;
    this.armHeartbeat();
  }

  private beat(): void {
    const snapshot = this.coordinator.snapshot();
    const level = effectiveLevel(snapshot);
    this.signal(level, 'heartbeat', snapshot.queueSize, snapshot.capacity);
    if (level !== 'ok') this.armHeartbeat();
  }

  private armHeartbeat(): void {
    clearTimeout(this.heartbeat);
    this.heartbeat = setTimeout(() => this.beat(), this.heartbeatMs).unref();
  }

  private signal(
    level: BackpressureLevel,
    reason: FeedbackReason,
    queue_size: number,
    capacity: number,
  ): void {
    const { coordinatorId: coordinator_id } = this.coordinator.snapshot();
    callGuarded(
      () =>
        this.publisher.publish(FeedbackEvent.create({ coordinator_id, queue_size, capacity, level, reason })),
      this.onError,
    );
  }
}

function effectiveLevel({ circuitState, level }: CoordinatorSnapshot): BackpressureLevel {
  return circuitState === 'closed' ? level : 'hard';
}
