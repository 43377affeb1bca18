import { describe, expect, it } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { BarsController } from '../../src/bars/bars.controller.js';
import type { IngestService } from '../../src/bars/ingest/ingest.service.js';
import type { BarsAnswer } from '../../src/bars/read/bars.answer.js';
import { ProblemError } from '../../src/http/problem.error.js';

describe('the room of a body', () => {
  it('is released once it is refused or stored, and not by a client that leaves before', async () => {
    let released = 0;
    let end = (): void => undefined;
    const ingest = {
      ingest: () =>
        new Promise(
          (_, reject) => (end = () => reject(new ProblemError('no-bars', 'The body holds no bars.'))),
        ),
    };
    const controller = new BarsController(ingest as unknown as IngestService, {} as BarsAnswer);
    const request = { headers: {}, body: Buffer.from('{}'), bodyRoom: { release: () => released++ } };
    const posting = controller.post({}, request as unknown as FastifyRequest, {} as FastifyReply);

    // What the server does at the end of a request.
    (request as unknown as FastifyRequest).bodyRoom?.release();
    expect(released).toBe(0);
    end();
    await expect(posting).rejects.toMatchObject({ code: 'no-bars' });
    expect(released).toBe(1);
  });
});
