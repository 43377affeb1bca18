/** Invisible, or with a meaning to a terminal: an answer or a log line must not carry them as they are. */
const CLASSES = String.raw`\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}`;

/** A character that must not be shown as it is. */
export const UNPRINTABLE = new RegExp(`[${CLASSES}]`, 'u');

/** 1 to 256 characters, none of which is UNPRINTABLE. */
export const PRINTABLE_NAME = new RegExp(`^[^${CLASSES}]{1,256}$`, 'u');
