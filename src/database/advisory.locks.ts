/** Keys of the PostgreSQL advisory locks that replicas share. The numbers are arbitrary and must never change. */
export const ADVISORY_LOCK = {
  /** Held while migrations run. */
  migrate: 7_306_001,
  /** Held while a partition is attached. */
  partition: 7_306_002,
} as const;
