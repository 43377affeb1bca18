import { BarKeys } from './bar.keys.js';
import type { Send } from './bar.model.js';
import { valuesOf } from './bar.values.js';
import type { Sender, SentBody } from './producer.js';
import type { Random } from './random.js';
import { isSafe, type Replica } from './replica.js';

const HEADER = 'provider,symbol,interval,ts,open,high,low,close,volume\n';
const MOST_BYTES = 64 * 1024 ** 2;
const LEAST_BYTES = 100 * 1024;
/** Share of the bodies whose bars are new. */
const NEW = 0.6;

interface LargeBody extends SentBody {
  /** CSV reaches the most rows, NDJSON the most bytes. */
  readonly type: 'text/csv' | 'application/x-ndjson';
  readonly sends: Send[];
}

/** Posts bodies of up to 64 MiB, one at a time, of which all rows have the same fate. */
export class LargeProducer implements Sender {
  readonly keys = new BarKeys({ provider: 'LARGE', secondsPerBar: 1 });
  readonly salt: number;
  readonly bodies: LargeBody[] = [];
  readonly wrong: string[] = [];
  readonly counts = undefined;
  acknowledged = 0;
  private contents = 0;
  /** Those that a service may still take: what is received after them is not known. */
  private readonly late = new Set<LargeBody>();

  /** @param mostRows of a body */
  constructor(
    random: Random,
    private readonly mostRows: number,
  ) {
    this.salt = random.between(0, 2 ** 31);
  }

  readonly model = {
    size: 0,
    sendsOf: (bar: number): readonly Send[] =>
      this.bodies.find(({ from, rows }) => bar >= from && bar < from + rows)?.sends ?? [],
  };

  /** Sends one. */
  async send(replica: Replica, random: Random): Promise<void> {
    const content = ++this.contents;
    const earlier = this.bodies.filter((one) => !this.late.has(one));
    const isNew = earlier.length === 0 || random.next() < NEW;
    const body = isNew
      ? this.newBody(
          content,
          LEAST_BYTES + (MOST_BYTES - LEAST_BYTES) * random.next() ** 3,
          random.next() < 0.5,
        )
      : random.pick(earlier);
    const answer = await replica.post(this.textOf(body, content), body.rows, '', body.type);
    if (answer === 'never') return;
    if (answer === 'late') this.late.add(body);
    body.sends.push({ content, fate: isSafe(answer) ? 'sure' : 'doubt' });
    if (isSafe(answer)) this.acknowledged += body.rows;
    else if (typeof answer !== 'string' && answer.status !== 429 && answer.status !== 503)
      this.wrong.push(
        `a body of ${body.rows} rows was answered ${answer.status}: ${answer.text.slice(0, 300)}`,
      );
  }

  private newBody(content: number, bytes: number, isCsv: boolean): LargeBody {
    const type = isCsv ? 'text/csv' : 'application/x-ndjson';
    const from = this.model.size;
    let rows = 0;
    // A correction of it, with other values, must fit too.
    for (let size = HEADER.length; size < bytes * 0.95 && rows < this.mostRows; rows++)
      size += this.line(from + rows, content, type).length;
    const body: LargeBody = { from, rows, sends: [], type };
    this.model.size += rows;
    this.bodies.push(body);
    return body;
  }

  private textOf({ from, rows, type }: LargeBody, content: number): string {
    const lines = Array.from({ length: rows }, (_, row) => this.line(from + row, content, type));
    return (type === 'text/csv' ? HEADER : '') + lines.join('');
  }

  private line(bar: number, content: number, type: LargeBody['type']): string {
    const { provider, interval } = this.keys;
    const values = valuesOf(this.salt, bar, content);
    const symbol = this.keys.symbolOf(bar);
    const ts = this.keys.tsOf(bar);
    if (type !== 'text/csv') return `${JSON.stringify({ provider, symbol, interval, ts, ...values })}\n`;
    const { open, high, low, close, volume } = values;
    const key = `${provider},${symbol},${interval},${ts}`;
    return `${key},${open},${high},${low},${close},${volume}\n`;
  }
}
