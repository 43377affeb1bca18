import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Answers by their status, and how long they took. */
export interface Seen {
  /** Milliseconds, ascending. */
  readonly times: readonly number[];
  /** How often each status came; `none` where no answer did. */
  readonly statuses: ReadonlyMap<number | 'none', number>;
}

/** Somebody who asks the same again and again, and measures how long an answer takes. */
export class Bystander {
  private readonly stopping = new AbortController();
  private readonly agent: Agent;
  private running: Promise<void> | undefined;
  private times: number[] = [];
  private statuses = new Map<number | 'none', number>();

  /**
   * @param ask makes the request; it gets the agent to use
   * @param pauseMs between an answer and the next request
   * @param keepAlive whether it keeps its connection
   */
  constructor(
    private readonly options: {
      readonly port: number;
      readonly method: string;
      readonly path: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: () => string;
      readonly pauseMs: number;
      readonly keepAlive: boolean;
    },
  ) {
    this.agent = new Agent({ keepAlive: options.keepAlive, maxSockets: 1 });
  }

  start(): void {
    this.running = this.askOn();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    this.agent.destroy();
  }

  /** What was seen since it was taken last. */
  take(): Seen {
    const seen = { times: this.times.toSorted((one, other) => one - other), statuses: this.statuses };
    this.times = [];
    this.statuses = new Map();
    return seen;
  }

  private async askOn(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const from = performance.now();
      const status = await this.askOnce();
      this.times.push(performance.now() - from);
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      await sleep(this.options.pauseMs);
    }
  }

  private askOnce(): Promise<number | 'none'> {
    const { port, method, path, headers = {}, body } = this.options;
    const text = body?.() ?? '';
    const length = { 'content-length': Buffer.byteLength(text) };
    return new Promise((resolve) => {
      const sent = request(
        { agent: this.agent, host: '127.0.0.1', port, method, path, headers: { ...headers, ...length } },
        (answer) => {
          answer.resume();
          answer.on('close', () => resolve(answer.statusCode ?? 'none'));
        },
      );
      sent.on('error', () => resolve('none'));
      sent.end(text);
    });
  }
}
