import { setTimeout as sleep } from 'node:timers/promises';

import type { Service } from '../contestants/service.js';

const POLL_MS = 50;

/** Waits until the service has committed everything that it took. @throws when its ledger does not balance */
export async function untilDrained(service: Service): Promise<void> {
  for (;;) {
    const { residual, spooled } = await service.ledger();
    if (residual !== 0) throw new Error(`${residual} accepted rows are missing`);
    if (spooled === 0) return;
    await sleep(POLL_MS);
  }
}
