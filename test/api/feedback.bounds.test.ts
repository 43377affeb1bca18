import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createDatabase, type TestDatabase } from '../support/database.ts';
import { startService, type TestService } from '../support/service.ts';

describe.each(['true', 'false'])(
  'events from elsewhere, MDP_FB_USE_CORE_CONTRACTS=%s',
  (useCoreContracts) => {
    let database: TestDatabase;
    let service: TestService;

    beforeAll(async () => {
      database = await createDatabase();
      service = await startService({
        DATABASE_URL: database.url,
        MDP_FB_USE_CORE_CONTRACTS: useCoreContracts,
      });
    });
    afterAll(async () => {
      await service.stop();
      await database.drop();
    });

    const post = (fields: Record<string, unknown>) =>
      service.fetch('/v1/feedback', {
        method: 'POST',
        body: JSON.stringify({
          coordinator_id: 'c',
          queue_size: 1,
          capacity: 2,
          level: 'ok',
          ts: 1,
          ...fields,
        }),
        headers: { 'content-type': 'application/json' },
      });

    it('are refused when a name in them is longer than 256 characters', async () => {
      expect((await post({ coordinator_id: 'c'.repeat(256), source: 's'.repeat(256) })).status).toBe(202);
      // Core takes every text for a name.
      for (const coordinator_id of ['', ' ']) expect((await post({ coordinator_id })).status).toBe(202);
      for (const field of ['coordinator_id', 'source']) {
        const answer = await post({ [field]: 'x'.repeat(257) });
        expect(answer.status).toBe(422);
        expect(await answer.json()).toMatchObject({
          code: 'invalid-document',
          errors: [{ pointer: `/${field}`, detail: 'must be at most 256 characters' }],
        });
      }
    });

    it('of ever new coordinators are remembered, and shown in metrics, up to 1,024', async () => {
      for (let first = 0; first < 1_100; first += 100) {
        const ids = Array.from({ length: 100 }, (_, i) => `made-up-${first + i}`);
        await Promise.all(ids.map((coordinator_id) => post({ coordinator_id })));
      }
      const { events } = (await (await service.fetch('/v1/feedback')).json()) as { events: unknown[] };
      expect(events).toHaveLength(1_024);
      const metrics = await (await service.fetch('/metrics')).text();
      expect(metrics.match(/^pipeline_feedback_queue_depth\{/gm)).toHaveLength(1_024);
      expect(metrics).toContain('pipeline_feedback_queue_depth{source="made-up-1099"} 1');
    });
  },
);
