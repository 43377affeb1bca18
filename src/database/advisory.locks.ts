/** Keys of the PostgreSQL advisory locks that replicas share. The numbers are arbitrary and must never change. */
export const ADVISORY_LOCK = {
  /** Held while migrations run. */
  migrate: 7_306_001,
  /** Held while a partition is attached. */
  partition: 7_306_002,
  /** Held shared by transactions that write bars, and alone by those that change or delete series. */
  series: 7_306_003,
  /** Held by the replica that copies the rows of an earlier release's table. */
  legacyCopy: 7_306_004,
} as const;
