import { MIB } from '../config/units.js';
import { BufferPool } from './buffer.pool.js';

/** What the tuples of 350,000 bars take up. */
const KEPT_BYTES = 32 * MIB;

/** Tuples of batches, from decoding to commit. */
export const tuplePool = new BufferPool(KEPT_BYTES);
