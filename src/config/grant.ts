/** What a request may be allowed to do: docs/access.md. */
export type Scope = 'admin' | 'ingest' | 'feedback' | 'read';

/** What a token may do. */
export interface Grant {
  readonly scope: Scope;
  /** The providers whose bars it may send, and for which it may acquire; undefined: all. */
  readonly providers: ReadonlySet<string> | undefined;
}

/** A token and what it may do. */
export interface KnownToken extends Grant {
  readonly token: string;
}
