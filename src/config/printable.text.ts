/** Invisible, or with a meaning to a terminal: an answer or a log line must not carry them as they are. */
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
