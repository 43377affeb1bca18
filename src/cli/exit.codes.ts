/** What a command ends with. */
export const EXIT = {
  /** Done, and all is sound. */
  sound: 0,
  /** Done, and something is damaged. */
  damaged: 1,
  /** Not done: wrong usage, or a file that cannot be read or written. */
  failed: 2,
} as const;

/** One of EXIT. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
