/** Whom an attacker attacks, and the tokens that it has. */
export interface AttackTarget {
  readonly port: number;
  readonly tokens: {
    /** May send bars. */
    readonly attacker: string;
    readonly read: string;
    readonly feedback: string;
  };
}

/** What an attacker did so far. */
export interface AttackCount {
  readonly connections: number;
  /** Whole requests that were answered. */
  readonly answers: number;
}
