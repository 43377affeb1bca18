import { KIB, SECOND } from '../config/units.js';

/**
 * How long a connection may be idle, milliseconds. Longer than the idle time of common load balancers (60 s), or they
 * send a request into a closing connection.
 */
export const KEEP_ALIVE_MS = 72 * SECOND;

/** A client may take this long to send the head of a request, milliseconds. */
export const HEAD_MS = 30 * SECOND;

/** What a client still sends is read this long after its connection was refused, milliseconds. */
export const LINGER_MS = 2 * SECOND;

/** An upload may be silent this long, milliseconds: what has come of it is held meanwhile. */
export const BODY_SILENCE_MS = 30 * SECOND;

/** What must come of a body at least within each such time: 1 KiB a second. How long the whole takes is nobody's concern. */
export const LEAST_BODY_RATE = { bytes: 60 * KIB, withinMs: 60 * SECOND };
