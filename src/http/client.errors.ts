import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { KIB, SECOND } from '../config/units.js';
import { wireText } from './answer.js';
import { isHost } from './host.js';
import { ProblemError } from './problem.error.js';
import type { ProblemFilter } from './problem.filter.js';
import type { RefusedInput } from './refused.input.js';
import { requestIdOf } from './request.id.js';
import { HEAD_MS, LINGER_MS } from './time.limits.js';

/** The largest head of a request, bytes: Node's default (`--max-http-header-size`). */
const HEAD_LIMIT = 16 * KIB;

/** Answers what Node's parser refuses, before there is a request, with the problem that every other refusal is. */
export function answerClientErrors(server: Server, filter: ProblemFilter, input: RefusedInput): void {
  /** The newest request of each connection: answers go out in the order of their requests. */
  const newest = new WeakMap<Duplex, ServerResponse>();
  const refused = new WeakSet<Duplex>();

  const send = (socket: Duplex, problem: ProblemError): void => {
    const id = requestIdOf(undefined);
    // What was asked for is not known: the occurrence is named by its id.
    const answer = filter.answer(problem, { id, method: '', url: `urn:uuid:${id}` });
    socket.end(wireText(answer, id, true));
    // A reset would take the answer away from a client that still sends.
    if (socket instanceof Socket) input.slowDown(socket, () => false);
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  };

  const refuse = (problem: ProblemError, socket: Duplex): void => {
    const due = newest.get(socket);
    if (!socket.writable) socket.destroy();
    else if (due === undefined) send(socket, problem);
    // The fault is in a later request.
    else if (due.req.complete && !due.writableFinished) due.once('close', () => refuse(problem, socket));
    // The fault is in the body of a request that is being answered, or was.
    else if (!due.req.complete && due.headersSent) socket.destroy();
    else send(socket, problem);
  };

  server.on('request', ({ socket }: IncomingMessage, answer: ServerResponse) => newest.set(socket, answer));
  // Fastify's own answers are no problem documents.
  server.removeAllListeners('clientError');
  server.on('clientError', (error: Error, socket: Duplex) => {
    // The parser complains of every piece that comes after the first bad one.
    if (refused.has(socket)) return;
    refused.add(socket);
    refuse(problemOf(error), socket);
  });
  // Without a listener Node cuts the connection. With one it reads it no more, nor hears its errors.
  server.on('connect', (_request, socket: Duplex) => {
    socket.on('error', () => socket.destroy()).resume();
    refuse(noTunnel(), socket);
  });
  // Node would ask for the body before anybody knows who sends it; `prepareHttp` asks for it.
  server.on('checkContinue', (request, answer) => server.emit('request', request, answer));
  // Node would answer an unknown `Expect` itself; here `assertAnswerable` refuses it.
  server.on('checkExpectation', (request, answer) => server.emit('request', request, answer));
}

/** @throws ProblemError for a request that RFC 9110 and 9112 do not let be answered */
export function assertAnswerable({ headers, rawHeaders, httpVersion }: IncomingMessage): void {
  const { host } = headers;
  if (host === undefined && httpVersion === '1.1')
    throw new ProblemError('bad-request', 'A request of HTTP/1.1 must name its Host.', CLOSE);
  if (host !== undefined && !isHost(host))
    throw new ProblemError('bad-request', 'The Host is no name or address, with or without a port.', CLOSE);
  // Of several, `headers` has the first.
  if (rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length > 1)
    throw new ProblemError('bad-request', 'A request must name its Host once.', CLOSE);
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue')
    throw new ProblemError('expectation-failed', 'The only Expect met is 100-continue.', CLOSE);
}

/** How the rest of such a request reads is not certain. */
const CLOSE = { headers: { connection: 'close' } };

function noTunnel(): ProblemError {
  // RFC 9110 15.5.6 asks for `Allow`. It is empty: nothing can be asked of another host.
  return new ProblemError('method-not-allowed', 'CONNECT asks for a tunnel, and there is none here.', {
    headers: { allow: '' },
  });
}

/** The refusal of a request whose client has ended its side of the connection too early. */
export function cutShort(): ProblemError {
  return new ProblemError('bad-request', 'The connection ended before the request was whole.');
}

function problemOf(error: Error): ProblemError {
  switch ('code' in error ? error.code : undefined) {
    case 'HPE_HEADER_OVERFLOW':
      return new ProblemError(
        'head-too-large',
        `The request line and the header fields may have ${HEAD_LIMIT} bytes; ask for less at once.`,
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ProblemError('head-too-slow', `The head must come within ${HEAD_MS / SECOND} s.`);
    case 'HPE_INVALID_EOF_STATE':
      return cutShort();
    default:
      return new ProblemError(
        'bad-request',
        `The request is no HTTP/1.1: ${error.message.replace(/^Parse Error: /, '')}.`,
      );
  }
}
