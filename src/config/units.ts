/** Milliseconds in a second. */
export const SECOND = 1_000;
/** Bytes in a kibibyte. */
export const KIB = 1024;
/** Bytes in a mebibyte. */
export const MIB = 1024 * 1024;
