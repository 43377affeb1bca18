import { ATTACK } from './attack.scenario.js';
import { BACKLOG } from './backlog.scenario.js';
import { OUTAGE } from './outage.scenario.js';
import { ROLLING } from './rolling.scenario.js';
import type { Scenario } from './scenario.js';
import { UPGRADE } from './upgrade.scenario.js';

export type { Scenario } from './scenario.js';

/** All that is done beside the faults. */
export const SCENARIOS: readonly Scenario[] = [OUTAGE, BACKLOG, ROLLING, UPGRADE, ATTACK];
