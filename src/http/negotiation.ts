import type { FastifyReply, FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';

import { ProblemError } from './problem.error.js';

/**
 * The type that the client likes best (RFC 9110, 12.5.1); of those it likes equally the first that it names, or the
 * first of `types` when it names none.
 * @throws ProblemError `not-acceptable` when it takes none of them
 */
export function preferredType<T extends string>(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  types: readonly T[],
): T {
  addVary(reply, 'Accept');
  // An empty field names nothing, as an absent one does.
  const accept = headers.accept === '' ? undefined : headers.accept;
  const [best] = new Negotiator({ headers: { accept } }).mediaTypes([...types]);
  if (best !== undefined) return best as T;
  const names = types.map((type) => type.split(';', 1)[0]).join(', ');
  throw new ProblemError('not-acceptable', `The answer can be ${names}; Accept takes none of them.`);
}

/** Whether the client likes gzip better than no compression (RFC 9110, 12.5.3). */
export function prefersGzip(request: FastifyRequest): boolean {
  return new Negotiator(request).encodings(['gzip', 'identity'])[0] === 'gzip';
}

/** Tells caches that the answer depends on a header field of the request. */
export function addVary(reply: FastifyReply, field: string): void {
  const before = reply.getHeader('vary');
  void reply.header('vary', before === undefined ? field : `${String(before)}, ${field}`);
}
