import { KIB, MIB } from '../config/units.js';

/** The largest body of bars taken, as sent and when inflated, bytes. */
export const BODY_LIMIT = 64 * MIB;

/** What to do with bars that are too many or too long for one body. */
export const IN_PARTS =
  'Send it in parts: cut NDJSON between lines, and CSV too, with its header line again in each part.';

/** The largest body of anything else, bytes: many times what any document of the control plane needs. */
export const DOCUMENT_LIMIT = 64 * KIB;

/** All bodies being taken in at once, bytes; beyond it the answer is 429. */
export const BODIES_LIMIT = 4 * BODY_LIMIT;

/** A body up to this size is not reckoned with, bytes: its connection takes as much. */
export const SMALL_BODY = 4 * KIB;

/** Content types of a body that are taken; any other is answered 415. */
export const BODY_TYPES = ['application/json', 'application/x-ndjson', 'text/csv'];

/** What a 415 tells. */
export const TYPES_TAKEN =
  'Send application/json in UTF-8; bars also as application/x-ndjson or text/csv. ' +
  `With curl that is -H 'Content-Type: text/csv' --data-binary @file: -d sends the type of a form and strips line ends.`;
