import type { Stage } from '../stage.js';

/** Harm that can be done. */
export interface Fault {
  readonly name: string;
  /** For people: what happens. */
  readonly what: string;
  /** Whether it needs disks that can be full; not every machine lets us have them. */
  readonly smallDisks?: boolean;
  /** Too long to be among those that are chosen when none are named. */
  readonly slow?: boolean;
  /** Does it and ends it; what it leaves must mend by itself. @throws when the harm did not come about */
  inflict(stage: Stage): Promise<void>;
}
