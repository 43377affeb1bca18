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
  snapshot(): Pick<
    CoordinatorSnapshot,
    'coordinatorId' | 'queueSize' | 'capacity' | 'level' | 'circuitState'
  >;
  onLevelChange(listener: Listener<LevelChange>): Disposable;
  onCircuitChange(listener: Listener<CircuitChange>): Disposable;
}

/** Settings of a LevelSignaller. */
export interface LevelSignallerOptions {
  /** Milliseconds after which the level is sent again; default 5,000. */
  readonly heartbeatMs?: number | undefined;
  /**
   * The level, at least, while the circuit is not closed: `hard`, the default, where nothing is accepted then, and
   * `soft` where entries are still taken and kept.
   */
  readonly openCircuitLevel?: 'soft' | 'hard' | undefined;
  /** Gets what the publisher throws or rejects with; default: a process warning. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * Publishes a coordinator's level: each crossing once, the circuit's opening and closing, and the level again every
 * heartbeat while it is not `ok` and once after it returned to `ok`, for a lost `ok` must not stop producers for ever.
 * A crossing that the open circuit's level hides is not signalled.
 */
export class LevelSignaller {
  private readonly heartbeatMs: number;
  private readonly onError: (error: unknown) => void;
  private subscriptions: Disposable[] = [];
  private readonly openCircuitLevel: 'soft' | 'hard';
  private circuit: CircuitState = 'closed';
  private signalled: BackpressureLevel = 'ok';
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(
    private readonly coordinator: SignalSource,
    private readonly publisher: FeedbackPublisher,
    options: LevelSignallerOptions = {},
  ) {
    this.heartbeatMs = options.heartbeatMs ?? 5 * SECOND;
    this.openCircuitLevel = options.openCircuitLevel ?? 'hard';
    this.onError = options.onError ?? warn;
  }

  /** Begins to signal, with the level that there is unless nobody was ever told of another than `ok`; a second call does nothing. */
  start(): void {
    if (this.subscriptions.length > 0) return;
    const snapshot = this.coordinator.snapshot();
    this.circuit = snapshot.circuitState;
    this.subscriptions = [
      this.coordinator.onLevelChange((change) => this.crossed(change)),
      this.coordinator.onCircuitChange((change) => this.circuitChanged(change)),
    ];
    // A store that begins with a backlog must not let producers go on at full rate for a heartbeat.
    if (this.signalled !== 'ok' || this.effective(snapshot.level) !== 'ok') this.beat();
  }

  /** Falls silent; a second call does nothing. */
  stop(): void {
    for (const subscription of this.subscriptions) subscription[Symbol.dispose]();
    this.subscriptions = [];
    clearTimeout(this.heartbeat);
  }

  private crossed({ level, reason, size, capacity }: LevelChange): void {
    const effective = this.effective(level);
    if (this.circuit !== 'closed' && effective === this.signalled) return;
    this.signal(effective, reason, size, capacity);
    this.armHeartbeat();
  }

  private circuitChanged({ state, previous }: CircuitChange): void {
    this.circuit = state;
    // A probe, and its failure, change nothing for producers.
    if (state !== 'closed' && previous !== 'closed') return;
    const { queueSize, capacity, level } = this.coordinator.snapshot();
    const reason = state === 'closed' ? 'circuit_closed' : 'circuit_open';
    this.signal(this.effective(level), reason, queueSize, capacity);
    this.armHeartbeat();
  }

  private beat(): void {
    const { queueSize, capacity, level } = this.coordinator.snapshot();
    const effective = this.effective(level);
    this.signal(effective, 'heartbeat', queueSize, capacity);
    if (effective !== 'ok') this.armHeartbeat();
  }

  private effective(level: BackpressureLevel): BackpressureLevel {
    return this.circuit === 'closed' || level === 'hard' ? level : this.openCircuitLevel;
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
    this.signalled = level;
    const { coordinatorId: coordinator_id } = this.coordinator.snapshot();
    callGuarded(
      () =>
        this.publisher.publish(FeedbackEvent.create({ coordinator_id, queue_size, capacity, level, reason })),
      this.onError,
    );
  }
}
