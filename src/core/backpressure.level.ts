/** The backpressure levels of Core v1.1.0, from best to worst. */
export const BACKPRESSURE_LEVELS = ['ok', 'soft', 'hard'] as const;

/** How full a queue is: `ok` keep the rate, `soft` slow down, `hard` stop. */
export type BackpressureLevel = (typeof BACKPRESSURE_LEVELS)[number];
