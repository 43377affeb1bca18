import { hash, timingSafeEqual } from 'node:crypto';

import type { TokenSettings } from './token.settings.js';

/** What a request may be allowed to do: `admin` everything, `ingest` only write, `read` only read. */
export type Scope = 'admin' | 'ingest' | 'read';

const BEARER = /^bearer +(\S+) *$/i;

/** Tells whose token a request carries, in constant time. */
export class TokenAuthenticator {
  private readonly known: readonly { readonly digest: Buffer; readonly scope: Scope }[];

  constructor(tokens: TokenSettings) {
    this.known = [
      ...tokens.read.map((token) => ({ digest: digestOf(token), scope: 'read' as const })),
      ...tokens.ingest.map((token) => ({ digest: digestOf(token), scope: 'ingest' as const })),
      { digest: digestOf(tokens.admin), scope: 'admin' as const },
    ];
  }

  /** The scope of an `Authorization` header's token; undefined when it is absent, malformed or unknown. */
  authenticate(authorization: string | undefined): Scope | undefined {
    const token = BEARER.exec(authorization ?? '')?.[1];
    if (token === undefined) return undefined;
    const digest = digestOf(token);
    // Digests have one length and every one is compared: the time taken says nothing about the tokens.
    let scope: Scope | undefined;
    for (const candidate of this.known) {
      if (timingSafeEqual(candidate.digest, digest)) scope = candidate.scope;
    }
    return scope;
  }
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
