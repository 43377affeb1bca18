import { expect, it } from '@jest/globals';

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
