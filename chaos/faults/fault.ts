import type { Scene } from '../scene.js';

/**
 * What a fault has for itself while it lasts. Faults that share none can happen at once. `service`: the process of a
 * service; `database`: the processes of PostgreSQL, its tables and settings; `way`: the connections between them;
 * `spool`: the spool and its disk; `clock`: the services' clocks.
 */
export type Part = 'service' | 'database' | 'way' | 'spool' | 'clock';

/** Everything. */
export const ALL_PARTS: readonly Part[] = ['service', 'database', 'way', 'spool', 'clock'];

/**
 * What a stage must have for a fault. `small-disks`: disks that can be full; `whole-disk`: none of those; `preload`: a
 * library that lets reads fail and clocks step.
 */
export type Need = 'small-disks' | 'whole-disk' | 'preload';

/** Harm that can be done. */
export interface Fault {
  readonly name: string;
  /** For people: what happens. */
  readonly what: string;
  readonly takes: readonly Part[];
  /** Default: nothing. */
  readonly needs?: readonly Need[];
  /** Too long to be among those that are chosen when none are named. */
  readonly slow?: boolean;
  /** Does it and ends it; what it leaves must mend by itself. @throws when the harm did not come about */
  inflict(scene: Scene): Promise<void>;
}
