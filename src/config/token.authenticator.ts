import { timingSafeEqual } from 'node:crypto';

import type { Grant } from './grant.js';
import type { TokenSettings } from './token.settings.js';

/** What a token is filled up with: a byte that is in no UTF-8. */
const FILLER = 0xff;
const BEARER = /^bearer +(\S+) *$/i;

/** Where a request comes from: its connection. */
interface Sender {
  readonly remoteAddress?: string | undefined;
}

/** Tells what the token of a request may do, in constant time. */
export class TokenAuthenticator {
  /** Every token, filled up to the length of the longest. */
  private readonly known: readonly { readonly bytes: Buffer; readonly grant: Grant }[];
  /** Where the token of a request is laid beside them. */
  private readonly asked: Buffer;

  /** `onUnknown` hears where a token came from that is none. */
  constructor(
    { admin, others }: TokenSettings,
    private readonly onUnknown: (address: string) => void = () => undefined,
  ) {
    const tokens = [...others, { token: admin, scope: 'admin', providers: undefined } as const];
    this.asked = Buffer.alloc(Math.max(...tokens.map(({ token }) => Buffer.byteLength(token))));
    this.known = tokens.map(({ token, scope, providers }) => {
      const bytes = Buffer.alloc(this.asked.length, FILLER);
      bytes.write(token);
      return { bytes, grant: { scope, providers } };
    });
  }

  /**
   * What an `Authorization` header's token may do; undefined when it is absent, malformed or unknown.
   * @param sender where an unknown token came from, for the log; absent: it is not logged, as the request is checked again
   */
  authenticate(authorization: string | undefined, sender?: Sender): Grant | undefined {
    const grant = this.grantOf(authorization);
    if (grant === undefined && authorization !== undefined && sender !== undefined)
      this.onUnknown(sender.remoteAddress ?? 'a connection that is closed');
    return grant;
  }

  private grantOf(authorization: string | undefined): Grant | undefined {
    const token = BEARER.exec(authorization ?? '')?.[1];
    const { asked } = this;
    if (token === undefined || Buffer.byteLength(token) > asked.length) return undefined;
    asked.fill(FILLER, asked.write(token));
    // All have one length and every one is compared: the time taken tells at most how long the longest is.
    let granted: Grant | undefined;
    for (const { bytes, grant } of this.known) if (timingSafeEqual(bytes, asked)) granted = grant;
    return granted;
  }
}
