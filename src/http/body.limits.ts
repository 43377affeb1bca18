import { MIB } from '../config/units.js';

/** The largest body taken, as sent and when inflated, bytes. */
export const BODY_LIMIT = 64 * MIB;

/** Content types of a body that are taken; any other is answered 415. */
export const BODY_TYPES = ['application/json', 'application/x-ndjson', 'text/csv'];
