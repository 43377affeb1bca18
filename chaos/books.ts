import type { Findings } from './findings.js';
import type { Replica } from './replica.js';
import type { CoordinatorState } from './service.process.js';

/** Looks at the books of the services: they balance at every moment, also over restarts. */
export class Books {
  /** How often they were looked at. */
  looks = 0;

  /** @param deadLetters whether there may be any */
  constructor(
    private readonly findings: Findings,
    private readonly deadLetters: () => boolean,
  ) {}

  /** Looks at those of one service. Rejects when it does not answer. */
  async look(replica: Replica): Promise<CoordinatorState> {
    // Rows that were answered before the question must be in the answer.
    const { acknowledged, service, isUnreadable } = replica;
    const state = await replica.look();
    this.looks++;
    if (service !== replica.service) return state;
    const { rows, dlq_records } = state;
    const shown = `${replica.name}: ${JSON.stringify(rows)}`;
    const isKnown = !isUnreadable && !replica.isUnreadable;
    if (rows.residual !== 0 && isKnown) this.findings.add('residual', shown);
    // Rows of a spool that was taken away are counted no more.
    if (rows.accepted < acknowledged && replica.acknowledged >= acknowledged && isKnown)
      this.findings.add('ledger', `${acknowledged} rows were acknowledged. ${shown}`);
    if (rows.accepted > replica.sent && !replica.acceptedTwice && isKnown)
      this.findings.add('ledger', `${replica.sent} rows were sent. ${shown}`);
    if (dlq_records > 0 && !this.deadLetters())
      this.findings.add('dead letters', `${dlq_records} of ${replica.name}`);
    return state;
  }
}
