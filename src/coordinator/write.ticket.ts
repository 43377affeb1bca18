import type { Entry } from './sink.js';
import { Waiter } from './waiter.js';

/** An entry on its way through the coordinator, with the promise that its submitter holds. */
export class WriteTicket<T extends Entry, R> extends Waiter<R> implements Entry {
  /** Weight of the entry when it was submitted. */
  readonly rows: number;

  constructor(readonly entry: T) {
    super();
    this.rows = entry.rows;
  }
}
