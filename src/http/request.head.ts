import { KIB } from '../config/units.js';
import { isHost } from './host.js';
import { Remembered } from './remembered.js';

/** The head of a request that needs nothing but its body read and an answer. */
export interface RequestHead {
  /** Bytes of the head, with the empty line after it. */
  readonly bytes: number;
  /** Bytes of the body. */
  readonly bodyBytes: number;
  /** Header fields by their names in lower case; each came once. */
  readonly fields: ReadonlyMap<string, string>;
}

const END = Buffer.from('\r\n\r\n');
const LONGEST_HEAD = 4 * KIB;
/**
 * RFC 9110 5.5 and 5.6.2, without the bytes above 0x7f that old senders use. A value begins and ends with a visible
 * character: with blanks allowed at its ends, a line of them that ends badly would take quadratic time.
 */
const FIELD = /^([\w!#$%&'*+.^`|~-]+):[\t ]*((?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?)$/;
const LENGTH = /^(0|[1-9]\d{0,7})$/;
/** Fields that say that a body is not simply so many bytes, or that ask for more than an answer. */
const UNUSUAL = new Set(['transfer-encoding', 'content-encoding', 'expect', 'upgrade', 'proxy-connection']);

/** Heads remembered, and the longest that is. */
const MOST_REMEMBERED = 256;
const LONGEST_REMEMBERED = 512;

/**
 * Reads heads with a certain first line. It is strict: whatever could be understood in two ways, or is not whole, is
 * undefined, and left to Node's parser. Usual heads are remembered: a producer sends the same but for the length of the
 * body.
 */
export class RequestHeadReader {
  private readonly remembered = new Remembered<RequestHead>(MOST_REMEMBERED, LONGEST_REMEMBERED);

  /** `startLine` such as `POST /v1/bars HTTP/1.1`. */
  constructor(private readonly startLine: string) {}

  /** How many heads are remembered. */
  get size(): number {
    return this.remembered.size;
  }

  /** The head at the start of the bytes. */
  read(bytes: Buffer): RequestHead | undefined {
    const end = bytes.indexOf(END);
    if (end < 0 || end > LONGEST_HEAD) return undefined;
    const text = bytes.toString('latin1', 0, end);
    return this.remembered.get(text) ?? this.parse(text);
  }

  private parse(text: string): RequestHead | undefined {
    const [first, ...lines] = text.split('\r\n');
    if (first !== this.startLine) return undefined;
    const fields = new Map<string, string>();
    for (const line of lines) {
      const [, name = '', value = ''] = FIELD.exec(line) ?? [];
      const key = name.toLowerCase();
      if (key === '' || fields.has(key) || UNUSUAL.has(key)) return undefined;
      fields.set(key, value);
    }
    const length = fields.get('content-length') ?? '';
    const connection = fields.get('connection');
    const host = fields.get('host');
    if (host === undefined || !isHost(host) || !LENGTH.test(length)) return undefined;
    if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return undefined;
    const head = { bytes: text.length + END.length, bodyBytes: Number(length), fields };
    this.remembered.set(text, head);
    return head;
  }
}
