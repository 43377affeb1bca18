import type { TestService } from '../support/service.js';

/** A reader of the stream of a service. */
export interface FollowedStream {
  /** The data of the events of the kind that was asked for, so far. */
  readonly events: readonly Record<string, unknown>[];
  /** The id of the last event of any kind. */
  lastId(): string;
  stop(): void;
}

/** Reads the stream of the service. */
export async function follow(
  from: TestService,
  kind: 'feedback' | 'adjustment',
  lastEventId?: string,
): Promise<FollowedStream> {
  const abort = new AbortController();
  const answer = await from.fetch('/v1/feedback/stream', {
    signal: abort.signal,
    ...(lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } }),
  });
  const events: Record<string, unknown>[] = [];
  let id = '';
  const read = async () => {
    let text = '';
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk as Uint8Array).toString();
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = Object.fromEntries(
          text
            .slice(0, end)
            .split('\n')
            .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
        );
        text = text.slice(end + 2);
        id = fields['id'] ?? id;
        if (fields['event'] === kind)
          events.push(JSON.parse(fields['data'] ?? '') as Record<string, unknown>);
      }
    }
  };
  read().catch(() => undefined);
  return { events, lastId: () => id, stop: () => abort.abort() };
}
