/** Bytes of a typed message before its body: the type and the length, which counts itself. */
const HEADER_BYTES = 5;
const LENGTH_BYTES = 4;
/** Of a query no more is kept than tells a COMMIT. */
const TEXT_BYTES = 32;
/** The first message has no type; protocol 3.x is 3 * 65536 + x. Anything else (SSLRequest) comes before it. */
const VERSION_3 = 3;

/** A message, or a part of one, in a chunk of what a client sends. */
export interface FrontendMessage {
  /** Empty for the first, which has no type. */
  readonly type: string;
  /** The beginning of a query. */
  readonly text: string;
  /** Offsets in the chunk. */
  readonly start: number;
  readonly end: number;
  /** Whether its last byte is here. */
  readonly complete: boolean;
}

/** Finds the messages in what a client of PostgreSQL sends (manual, "Frontend/Backend Protocol"). */
export class FrontendReader {
  private typed = false;
  private header = Buffer.alloc(0);
  private type = '';
  private text = Buffer.alloc(0);
  private left = 0;

  /** The messages that have bytes in this chunk, the next of the connection. */
  read(chunk: Buffer): FrontendMessage[] {
    const messages: FrontendMessage[] = [];
    for (let at = 0; at < chunk.length;) {
      const start = at;
      if (this.left === 0) {
        const missing = this.headerBytes - this.header.length;
        this.header = Buffer.concat([this.header, chunk.subarray(at, at + missing)]);
        at = Math.min(chunk.length, at + missing);
        if (this.header.length < this.headerBytes) break;
        this.begin();
      }
      const body = chunk.subarray(at, at + this.left);
      this.keep(body);
      at += body.length;
      this.left -= body.length;
      messages.push({
        type: this.type,
        text: this.text.toString('latin1').replace(/\0.*$/s, ''),
        start,
        end: at,
        complete: this.left === 0,
      });
      if (this.left === 0) this.finish();
    }
    return messages;
  }

  private get headerBytes(): number {
    return this.typed ? HEADER_BYTES : LENGTH_BYTES;
  }

  private begin(): void {
    const { header } = this;
    this.type = this.typed ? header.toString('latin1', 0, 1) : '';
    this.left = header.readUInt32BE(header.length - LENGTH_BYTES) - LENGTH_BYTES;
    this.text = Buffer.alloc(0);
    this.header = Buffer.alloc(0);
  }

  private keep(body: Buffer): void {
    if (this.type !== 'Q' && this.typed) return;
    const room = TEXT_BYTES - this.text.length;
    if (room > 0) this.text = Buffer.concat([this.text, body.subarray(0, room)]);
  }

  private finish(): void {
    if (!this.typed) this.typed = this.text.length >= 2 && this.text.readUInt16BE() === VERSION_3;
  }
}
