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
