import type { Socket } from 'node:net';

import { MIB, SECOND } from '../config/units.js';

/** What is read of refused input, of all connections together. */
const BYTES_PER_SECOND = 64 * MIB;
const TICK_MS = 10;
const BYTES_PER_TICK = (BYTES_PER_SECOND * TICK_MS) / SECOND;

/** A client that still sends after it was refused. */
interface Sender {
  /** True when what it sends is no longer refused input. */
  readonly isOver: () => boolean;
  /** What had been read of its connection at the last tick. */
  bytesRead: number;
  /** What came in the last tick in which it was read. */
  lastBytes: number;
}

/**
 * Slows down clients that go on sending after they were refused. Node reads and drops what they send, so that one that
 * sends all before it reads hears the answer. But it reads as fast as it can: a few clients on a fast network would keep
 * the event loop busy. Here all of them share a pace; those that are beyond it wait for their turn, and TCP holds them.
 */
export class RefusedInput {
  private readonly flowing = new Map<Socket, Sender>();
  /** Those that wait, the longest first. */
  private readonly paused = new Map<Socket, Sender>();
  /** Bytes that may be read until the next tick; below 0 after more came. */
  private left = BYTES_PER_TICK;
  private timer: NodeJS.Timeout | undefined;

  /** What comes on this connection is refused input until `isOver` or its end. */
  slowDown(socket: Socket, isOver: () => boolean): void {
    this.flowing.set(socket, { isOver, bytesRead: socket.bytesRead, lastBytes: 0 });
    this.timer ??= setInterval(() => this.tick(), TICK_MS);
  }

  private tick(): void {
    this.left = Math.min(this.left + BYTES_PER_TICK, BYTES_PER_TICK);
    for (const [socket, sender] of this.flowing) this.look(socket, sender);
    let expected = 0;
    for (const [socket, sender] of this.paused) {
      if (expected >= this.left) break;
      expected += sender.lastBytes;
      this.paused.delete(socket);
      this.flowing.set(socket, sender);
      socket.resume();
    }
    if (this.flowing.size + this.paused.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private look(socket: Socket, sender: Sender): void {
    sender.lastBytes = socket.bytesRead - sender.bytesRead;
    sender.bytesRead = socket.bytesRead;
    this.left -= sender.lastBytes;
    if (socket.destroyed || sender.isOver()) {
      this.flowing.delete(socket);
    } else if (this.left < 0 && sender.lastBytes > 0) {
      this.flowing.delete(socket);
      this.paused.set(socket, sender);
      socket.pause();
    }
  }
}
