import { FeedbackEvent, parseContract } from '../core/index.js';
import { levelOf } from './level.policy.js';

/**
 * Reads an event of before Core v1.1.0: any object, with a `level` in upper or lower case. What it lacks is
 * filled in: level `ok`, coordinator `unknown`, an empty queue, room for what it holds and at least 1 row, source
 * `store`, the present.
 * @throws ContractError naming each field that is there and wrong
 */
export function parseDuckTypedEvent(document: unknown, epochSeconds = Date.now() / 1000): FeedbackEvent {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    return parseContract(FeedbackEvent, document);
  }
  // Read one by one and not spread: the older events could be objects of a class, with getters.
  const {
    coordinator_id,
    queue_size,
    capacity,
    level = 'ok',
    source,
    ts,
  } = document as Record<string, unknown>;
  const queueSize = queue_size ?? 0;
  // The older events could say 0 for a queue without a bound, which Core does not allow.
  const unbounded = capacity === undefined || capacity === null || capacity === 0;
  return parseContract(FeedbackEvent, {
    coordinator_id: coordinator_id ?? 'unknown',
    queue_size: queueSize,
    capacity: unbounded ? Math.max(1, typeof queueSize === 'number' ? queueSize : 1) : capacity,
    level: levelOf(level) ?? level,
    source: source ?? 'store',
    ts: ts ?? epochSeconds,
  });
}
