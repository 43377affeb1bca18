import type { Socket } from 'node:net';

import { Logger } from '@nestjs/common';

import { SECOND } from '../config/units.js';
import { type Answer, wireText } from './answer.js';
import { SMALL_BODY } from './body.limits.js';
import type { ConnectionLimit } from './connection.limit.js';
import type { RequestHeadReader } from './request.head.js';
import { requestIdOf } from './request.id.js';
import { KEEP_ALIVE_MS } from './time.limits.js';

/** A request whose body is whole. */
export interface DirectRequest {
  readonly id: string;
  /** Header fields by their names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Buffer;
  readonly socket: Socket;
}

/** An answer, and how long it should wait before it goes out, milliseconds. */
export interface DirectAnswer extends Answer {
  readonly delayMs?: number;
}

/** What a DirectConnection does with requests. */
export interface DirectOptions {
  /** Reads the heads of the requests that are answered here. */
  readonly heads: RequestHeadReader;
  /** Told which connections have a request under way; one that is too many is left to Node's server. */
  readonly connections: ConnectionLimit;
  /** Whether the sender of a head is known: only then is its body waited for. */
  readonly isKnown: (fields: DirectRequest['fields']) => boolean;
  /** Rejects by a bug only. */
  readonly answer: (request: DirectRequest) => Promise<DirectAnswer>;
  /** What the request with this id is answered with instead, when its client ends before its body is whole. */
  readonly cutShort: (id: string) => Answer;
  /** Whether connections are to be closed with their next answer. */
  readonly isClosing: () => boolean;
  /** Told of each answer, how long it took since its request was whole, seconds, and its status. */
  readonly onAnswered: (seconds: number, status: number) => void;
  /** How long a connection may be idle, milliseconds. */
  readonly idleMs?: number;
}

const logger = new Logger('http');

/**
 * A client's connection for as long as it sends nothing but usual requests with small bodies, one after the other: they
 * are read and answered without Node's HTTP server, which costs more than all that happens to such a body. With the
 * first request that is different the connection goes to that server, unread, and stays there.
 */
export class DirectConnection {
  /** The first piece of a request; its rest may come in one more. */
  private begun: Buffer | undefined;
  private answering = false;
  /** What came before the answer was out. */
  private early: Buffer | undefined;
  /** The client will send nothing more. */
  private ended = false;
  /** Has the answer that is held up sent. */
  private endWait: (() => void) | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly options: DirectOptions,
    /** Told when the connection is no longer this one's: closed, or to be served by Node, with what it has sent. */
    private readonly onLeft: (unread: Buffer | undefined) => void,
  ) {
    socket.setTimeout(options.idleMs ?? KEEP_ALIVE_MS);
    socket.on('data', this.read);
    socket.on('end', this.end);
    socket.on('error', this.destroy);
    socket.on('timeout', this.destroy);
    socket.on('close', this.closed);
  }

  /** Ends the connection, after the answer if one is due. */
  close(): void {
    if (this.begun !== undefined) this.leave(this.begun);
    else if (!this.answering) this.socket.destroy();
    else this.endWait?.();
  }

  private readonly read = (piece: Buffer): void => {
    if (this.answering) {
      this.early = piece;
      this.socket.pause();
      return;
    }
    const isRest = this.begun !== undefined;
    const bytes = this.begun === undefined ? piece : Buffer.concat([this.begun, piece]);
    const head = this.options.heads.read(bytes);
    const missing = head === undefined ? 0 : head.bytes + head.bodyBytes - bytes.length;
    const isUsual = head !== undefined && head.bodyBytes <= SMALL_BODY && missing >= 0;
    const mayBegin = isRest || (this.options.connections.hasRoom && !this.socket.writableNeedDrain);
    // Node refuses those that may not begin, and waits for a client that does not read its answers.
    if (!isUsual || !mayBegin || (missing > 0 && (isRest || !this.options.isKnown(head.fields)))) {
      this.leave(bytes);
      return;
    }
    if (!isRest) this.options.connections.begin(this.socket);
    if (missing > 0) {
      this.begun = bytes;
    } else {
      this.begun = undefined;
      this.answer(head.fields, bytes.subarray(head.bytes)).catch((bug: unknown) => {
        logger.error(bug);
        this.socket.destroy();
      });
    }
  };

  /** Whether the next answer is the last. */
  private get closes(): boolean {
    return this.ended || this.options.isClosing();
  }

  private async answer(fields: ReadonlyMap<string, string>, body: Buffer): Promise<void> {
    this.answering = true;
    const start = performance.now();
    const id = requestIdOf(fields.get('x-request-id'));
    const answer = await this.options.answer({ id, fields, body, socket: this.socket });
    if (answer.delayMs && !this.closes && !this.socket.destroyed) await this.wait(answer.delayMs);
    this.send(id, answer, start);
  }

  private async wait(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.endWait = undefined;
  }

  private send(id: string, answer: Answer, start: number): void {
    const { socket, early } = this;
    if (socket.destroyed) return;
    const { closes } = this;
    socket.write(wireText(answer, id, closes));
    this.options.onAnswered((performance.now() - start) / SECOND, answer.status);
    this.answering = false;
    this.options.connections.end(socket);
    if (closes) socket.destroySoon();
    else if (early !== undefined) this.leave(early);
  }

  private leave(unread: Buffer): void {
    const { socket } = this;
    if (this.begun !== undefined) this.options.connections.end(socket);
    socket.setTimeout(0);
    socket.off('data', this.read);
    socket.off('end', this.end);
    socket.off('error', this.destroy);
    socket.off('timeout', this.destroy);
    socket.off('close', this.closed);
    this.onLeft(unread);
  }

  private readonly end = (): void => {
    this.ended = true;
    if (this.answering) this.endWait?.();
    else if (this.begun !== undefined) this.refuse(this.begun);
    else this.socket.destroySoon();
  };

  private refuse(begun: Buffer): void {
    this.begun = undefined;
    const id = requestIdOf(this.options.heads.read(begun)?.fields.get('x-request-id'));
    this.send(id, this.options.cutShort(id), performance.now());
  }

  private readonly destroy = (): void => {
    this.socket.destroy();
  };

  private readonly closed = (): void => {
    this.endWait?.();
    this.onLeft(undefined);
  };
}
