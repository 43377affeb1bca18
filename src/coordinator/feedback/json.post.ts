/** The answer did not begin in time. */
export class AnswerTimeoutError extends Error {
  override readonly name = 'AnswerTimeoutError';

  constructor(readonly timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
  }
}

/** A POST of JSON. */
export interface JsonPost {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds for the whole exchange. */
  readonly timeoutMs: number;
  /** Ends it early: the call rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/** Enough of an answer to keep the connection for the next request; no answer is worth more. */
const MOST_ANSWER_BYTES = 64 * 1024;

/** Posts, follows no redirect, reads at most 64 KiB of the answer, and gives its status. */
export async function postJson({ url, headers, body, timeoutMs, signal }: JsonPost): Promise<number> {
  signal.throwIfAborted();
  const exchange = new AbortController();
  const abandon = () => exchange.abort(signal.reason);
  const timer = setTimeout(() => exchange.abort(new AnswerTimeoutError(timeoutMs)), timeoutMs);
  signal.addEventListener('abort', abandon);
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      redirect: 'manual',
      signal: exchange.signal,
    });
    // The status has been said: a body that breaks off, or never ends, cannot change it.
    await discard(answer.body).catch(() => undefined);
    return answer.status;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abandon);
  }
}

async function discard(body: AsyncIterable<Uint8Array> | null): Promise<void> {
  if (!body) return;
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the rest.
    if (bytes >= MOST_ANSWER_BYTES) return;
  }
}
