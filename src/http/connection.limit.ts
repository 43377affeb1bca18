import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { Logger } from '@nestjs/common';

import { SECOND } from '../config/units.js';
import { PacedLine } from '../logging/paced.line.js';
import { ProblemError } from './problem.error.js';

/** The part of the connections that is only for answering probes, and 503 to others, when all the rest are busy. */
const SPARE_SHARE = 1 / 16;

/** Answered also when every connection is busy: a platform must not take a busy service for a dead one. */
const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz', '/healthz', '/health']);

/**
 * Bounds the connections of clients, so that the process never lacks a file. When a new one is too many, the one that
 * has been idle longest is closed: no request is under way on it. When all are busy, a new one is told so.
 */
export class ConnectionLimit {
  /** Every connection, with how many requests are under way on it. */
  private readonly connections = new Map<Socket, number>();
  /** Those without a request under way, the longest idle first. */
  private readonly idle = new Set<Socket>();
  /** Connections that may be busy at once. */
  private readonly mostBusy: number;
  private readonly line: PacedLine<void>;

  /** @param most connections at once */
  constructor(private readonly most: number) {
    this.mostBusy = most - Math.ceil(most * SPARE_SHARE);
    const logger = new Logger('http');
    this.line = new PacedLine((count) =>
      logger.warn(
        `${most} clients may be connected at once (see "Open files" in docs/operations.md): ${count} idle connections were closed, or requests refused, to keep to it`,
      ),
    );
  }

  /** Bounds the connections of this server. To be called before it listens. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.add(socket));
  }

  /** Whether one more connection may be busy. */
  get hasRoom(): boolean {
    return this.connections.size - this.idle.size < this.mostBusy;
  }

  /**
   * A request has come that is answered by Node's server. Its connection is busy when its sender is known: one who is not
   * must not keep others out by reading slowly what is public.
   * @param path its route; undefined: it has none
   * @throws ProblemError `too-many-connections` when too many others are under way
   */
  admit(socket: Socket, answer: ServerResponse, path: string | undefined, isKnown: boolean): void {
    const { hasRoom } = this;
    if (isKnown) {
      this.begin(socket);
      answer.once('close', () => this.end(socket));
    }
    if (hasRoom || PROBES.has(path ?? '')) return;
    this.line.note();
    throw new ProblemError(
      'too-many-connections',
      `Requests are under way on all of the ${this.mostBusy} connections that may be busy at once.`,
      { retryAfterMs: SECOND, headers: { connection: 'close' } },
    );
  }

  /** A request is under way on the connection. */
  begin(socket: Socket): void {
    const requests = this.connections.get(socket);
    if (requests === undefined) return;
    this.connections.set(socket, requests + 1);
    this.idle.delete(socket);
  }

  /** A request was answered. */
  end(socket: Socket): void {
    const requests = this.connections.get(socket);
    if (requests === undefined) return;
    this.connections.set(socket, requests - 1);
    if (requests === 1) this.idle.add(socket);
  }

  private add(socket: Socket): void {
    this.connections.set(socket, 0);
    socket.once('close', () => this.forget(socket));
    if (this.connections.size > this.most) {
      // When none is idle, only the new one can go.
      const [longestIdle = socket] = this.idle;
      longestIdle.destroy();
      this.forget(longestIdle);
      this.line.note();
    }
    if (!socket.destroyed) this.idle.add(socket);
  }

  private forget(socket: Socket): void {
    this.connections.delete(socket);
    this.idle.delete(socket);
  }
}
