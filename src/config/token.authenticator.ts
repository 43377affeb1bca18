import { timingSafeEqual } from 'node:crypto';

import type { TokenSettings } from './token.settings.js';

/** What a request may be allowed to do: `admin` everything, `ingest` only write, `read` only read. */
export type Scope = 'admin' | 'ingest' | 'read';

/** What a token is filled up with: a byte that is in no UTF-8. */
const FILLER = 0xff;
const BEARER = /^bearer +(\S+) *$/i;

/** Tells whose token a request carries, in constant time. */
export class TokenAuthenticator {
  /** Every token, filled up to the length of the longest. */
  private readonly known: readonly { readonly bytes: Buffer; readonly scope: Scope }[];
  /** Where the token of a request is laid beside them. */
  private readonly asked: Buffer;

  constructor(tokens: TokenSettings) {
    const scopes = [
      ...tokens.read.map((token) => ({ token, scope: 'read' as const })),
      ...tokens.ingest.map((token) => ({ token, scope: 'ingest' as const })),
      { token: tokens.admin, scope: 'admin' as const },
    ];
    this.asked = Buffer.alloc(Math.max(...scopes.map(({ token }) => Buffer.byteLength(token))));
    this.known = scopes.map(({ token, scope }) => {
      const bytes = Buffer.alloc(this.asked.length, FILLER);
      bytes.write(token);
      return { bytes, scope };
    });
  }

  /** The scope of an `Authorization` header's token; undefined when it is absent, malformed or unknown. */
  authenticate(authorization: string | undefined): Scope | undefined {
    const token = BEARER.exec(authorization ?? '')?.[1];
    const { asked } = this;
    if (token === undefined || Buffer.byteLength(token) > asked.length) return undefined;
    asked.fill(FILLER, asked.write(token));
    // All have one length and every one is compared: the time taken tells at most how long the longest is.
    let scope: Scope | undefined;
    for (const { bytes, scope: its } of this.known) if (timingSafeEqual(bytes, asked)) scope = its;
    return scope;
  }
}
