import { expect, it } from '@jest/globals';

import { MOST_AHEAD_S } from '../../src/coordinator/feedback/feedback.bus.js';
import { FeedbackInbox } from '../../src/coordinator/feedback.inbox.js';
import { FeedbackBus, FeedbackEvent, parseFeedbackEvent } from '../../src/coordinator/index.js';
import { settle } from './entries.js';

it('obeys the events of others, and tells once of a store with its own name', async () => {
  const bus = new FeedbackBus();
  const heard: string[] = [];
  const warnings: string[] = [];
  bus.subscribe(({ coordinator_id }) => heard.push(coordinator_id));
  const inbox = new FeedbackInbox('mine', bus, parseFeedbackEvent, (message) => warnings.push(message));
  for (const coordinator_id of ['other', 'mine', 'mine', 'third']) {
    await inbox.take(FeedbackEvent.create({ coordinator_id, queue_size: 1, capacity: 2, level: 'ok' }));
  }
  await settle();
  expect(heard).toEqual(['other', 'third']);
  expect(warnings).toEqual([expect.stringContaining('MDS_COORDINATOR_ID')]);
});

it('takes no event from the future, and tells of those at a pace', () => {
  const nowMs = 1_760_659_200_000;
  const warnings: string[] = [];
  const inbox = new FeedbackInbox(
    'mine',
    new FeedbackBus(),
    parseFeedbackEvent,
    (message) => warnings.push(message),
    () => nowMs,
  );
  const dated = (ts: number) => ({ coordinator_id: 'other', queue_size: 1, capacity: 2, level: 'ok', ts });
  const latest = nowMs / 1_000 + MOST_AHEAD_S;
  expect(inbox.read(dated(latest))).toMatchObject({ ts: latest });
  expect(inbox.read(dated(0))).toMatchObject({ ts: 0 });
  expect(warnings).toEqual([]);
  for (const ts of [latest + 0.001, latest + 1, 1e15, Number.MAX_VALUE])
    expect(() => inbox.read(dated(ts))).toThrow(/ts must be at most 5 s ahead/);
  expect(warnings).toEqual([expect.stringContaining('"other"')]);
});
