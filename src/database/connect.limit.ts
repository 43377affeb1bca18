import { SECOND } from '../config/units.js';

/**
 * Longest wait for a connection, milliseconds. A server that takes connections and says nothing, as behind a broken
 * proxy, would otherwise hold up the start for ever, and with it the probes that tell of it.
 */
export const CONNECT_LIMIT_MS = 5 * SECOND;
