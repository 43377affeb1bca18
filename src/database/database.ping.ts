import { Client } from 'pg';

/**
 * Asks the database for a sign of life over one connection kept for it: a probe must not wait behind the
 * service's own work for a pooled one, and must not open one each time.
 */
export class DatabasePing {
  private client: Client | undefined;
  private inFlight: Promise<void> | undefined;

  constructor(private readonly url: string) {}

  /** Resolves when the database answered within the time; callers at the same moment share one question. */
  ping(timeoutMs: number): Promise<void> {
    this.inFlight ??= this.ask(timeoutMs).finally(() => (this.inFlight = undefined));
    return this.inFlight;
  }

  /** Gives the connection up. */
  async close(): Promise<void> {
    await this.inFlight?.catch(() => undefined);
    await this.client?.end();
    this.client = undefined;
  }

  private async ask(timeoutMs: number): Promise<void> {
    const client = this.client ?? this.newClient(timeoutMs);
    try {
      if (this.client === undefined) await client.connect();
      this.client = client;
      await client.query('SELECT 1');
    } catch (error) {
      this.discard(client);
      throw error;
    }
  }

  private newClient(timeoutMs: number): Client {
    const client = new Client({
      connectionString: this.url,
      application_name: 'market-data-store health',
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
    });
    // A connection cut between two questions: the next one makes another.
    client.on('error', () => this.discard(client));
    return client;
  }

  private discard(client: Client): void {
    if (this.client === client) this.client = undefined;
    // The server may be stopped and never answer a farewell; nobody waits for it.
    client.end().catch(() => undefined);
  }
}
