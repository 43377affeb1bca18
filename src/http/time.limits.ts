import { SECOND } from '../config/units.js';

/**
 * How long a connection may be idle, milliseconds. Longer than the idle time of common load balancers (60 s), or they
 * send a request into a closing connection.
 */
export const KEEP_ALIVE_MS = 72 * SECOND;

/** A client may take this long to send a request, milliseconds; one that never ends must not hold its memory for ever. */
export const REQUEST_MS = 120 * SECOND;
