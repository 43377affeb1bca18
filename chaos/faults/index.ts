import { DISK_FAULTS } from './disk.faults.js';
import type { Fault } from './fault.js';
import { NETWORK_FAULTS } from './network.faults.js';
import { REFUSAL_FAULTS } from './refusal.faults.js';
import { SERVER_FAULTS } from './server.faults.js';
import { SERVICE_FAULTS } from './service.faults.js';

export type { Fault } from './fault.js';

/** All harm that can be done. */
export const FAULTS: readonly Fault[] = [
  ...SERVICE_FAULTS,
  ...SERVER_FAULTS,
  ...NETWORK_FAULTS,
  ...REFUSAL_FAULTS,
  ...DISK_FAULTS,
];
