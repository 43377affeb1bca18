import { CLOCK_FAULTS } from './clock.faults.js';
import { COPY_FAULTS } from './copy.faults.js';
import { DISK_FAULTS } from './disk.faults.js';
import type { Fault } from './fault.js';
import { LOAD_FAULTS } from './load.faults.js';
import { LOCK_FAULTS } from './lock.faults.js';
import { NETWORK_FAULTS } from './network.faults.js';
import { REFUSAL_FAULTS } from './refusal.faults.js';
import { SERVER_FAULTS } from './server.faults.js';
import { SERVICE_FAULTS } from './service.faults.js';
import { SPOOL_FAULTS } from './spool.faults.js';

export type { Fault, Need } from './fault.js';

/** All harm that can be done. */
export const FAULTS: readonly Fault[] = [
  ...SERVICE_FAULTS,
  ...SERVER_FAULTS,
  ...NETWORK_FAULTS,
  ...REFUSAL_FAULTS,
  ...LOCK_FAULTS,
  ...SPOOL_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
  ...COPY_FAULTS,
  ...LOAD_FAULTS,
];
