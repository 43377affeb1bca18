import { randomUUID } from 'node:crypto';

import type { Grant } from '../../config/grant.js';
import { SECOND } from '../../config/units.js';
import { acceptProblem } from '../../coordinator/accept.problem.mapping.js';
import type { DurableCoordinator, QueueLoad } from '../../coordinator/index.js';
import type { BodyRoom } from '../../http/body.budget.js';
import type { DrainState } from '../../http/drain.state.js';
import { ProblemError } from '../../http/problem.error.js';
import { requireProvider } from '../../http/provider.access.js';
import type { BarBatch, OnConflict } from '../bar.batch.js';
import type { BodyFormat, DecodeResult, OnRowError } from '../decode/bars.decoder.js';
import type { RowError } from '../decode/row.error.js';
import type { ReceiptClock } from '../receipt.clock.js';
import { providerOf } from '../series.key.js';
import type { WriteCounts } from '../write.counts.js';
import type { Admission, Admitted } from './admission.js';
import type { BodyDecoder } from './body.decoder.js';
import { bodyFormat } from './body.format.js';
import { BodyInflater } from './body.inflater.js';
import { unconfirmed, writeProblem } from './write.problems.js';

/** Longest wait for the disk or the commit, milliseconds, before the client is told that it is not confirmed. */
const LONGEST_WAIT_MS = 15 * SECOND;

const NO_BODY = Buffer.alloc(0);

/** A body as it came over HTTP. */
export interface IngestRequest {
  /** Taken out when it is decoded: nobody holds it while the disk is waited for. */
  body: Buffer;
  /** What the sender may do; one object stands for a token. Undefined: anything. */
  readonly grant: Grant | undefined;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly onError: OnRowError;
  readonly onConflict: OnConflict;
  /** True: answer after the commit and tell what became of the bars; else as soon as they are safe on disk. */
  readonly awaitCommit: boolean;
  /** Gives up the room that was kept for it in the spool; undefined when none was. */
  readonly releaseRoom: (() => void) | undefined;
  /** The room that it takes in memory, also for what it has when it is inflated; undefined for a small one. */
  readonly room: Pick<BodyRoom, 'grow'> | undefined;
  /** Aborted when its client has gone: a body that is not decoded by then is given up with the signal's reason. */
  readonly gone: AbortSignal | undefined;
}

/** What became of a body. */
export interface IngestResult {
  readonly batchId: string;
  readonly accepted: number;
  readonly rejected: number;
  readonly errors: readonly RowError[];
  readonly errorsTruncated: boolean;
  readonly ignoredFields: readonly string[];
  readonly ignoredFieldsTruncated: boolean;
  /** What the commit did; undefined when it was not waited for. */
  readonly counts: WriteCounts | undefined;
  readonly queue: QueueLoad;
}

/** Takes bodies of bars and answers when they are safe on disk, or committed. */
export class IngestService {
  private readonly inflater = new BodyInflater();

  constructor(
    private readonly coordinator: DurableCoordinator<BarBatch, WriteCounts>,
    private readonly clock: ReceiptClock,
    private readonly drain: DrainState,
    private readonly admission: Admission,
    private readonly decoder: BodyDecoder,
    private readonly longestWaitMs = LONGEST_WAIT_MS,
  ) {}

  /**
   * Asked before a body is read, and again when it is there.
   * @param hasRoom whether room is kept for it in the spool
   * @throws ProblemError `draining`, `spool-full`, `spool-unavailable`
   */
  assertTaking(hasRoom = false): void {
    this.ask(() => this.coordinator.assertTaking(hasRoom));
  }

  /**
   * Asked before a large body is read: room in the spool, which it takes as it comes.
   * @param announced bytes that it says it has
   * @returns its `release` is to be given to `ingest`, and called at the end of the request
   * @throws ProblemError as assertTaking, then and as it grows
   */
  reserve(announced: number): BodyRoom {
    const { grow, release } = this.ask(() => this.coordinator.reserve(announced));
    return { grow: (bytes) => this.ask(() => grow(bytes)), release };
  }

  /** @throws ProblemError for every refusal; nothing is stored then, unless the problem says that it may be */
  async ingest(request: IngestRequest): Promise<IngestResult> {
    // Once more: it may have stopped while the body came in.
    this.assertTaking(request.releaseRoom !== undefined);
    const isEmpty = request.body.length === 0;
    // Who sends nothing need not say what it is.
    if (isEmpty && request.contentType === undefined) throw emptyBody();
    const format = bodyFormat(request.contentType);
    if (isEmpty) throw emptyBody();
    const decoding = this.decodeBody(request, format);
    const decoded = decoding instanceof Promise ? await decoding : decoding;
    const batch = this.requireBatch(decoded);
    const { grant } = request;
    if (grant?.providers) for (const name of batch.series) requireProvider(grant.providers, providerOf(name));
    const admitted = this.admission.admit(batch, grant);
    // Now, and not before it was decoded: the coordinator gathers batches that ascend in time.
    batch.receivedAt = this.clock.next();
    const counts = await this.accept(batch, request, admitted);
    return {
      counts,
      batchId: randomUUID(),
      accepted: batch.lines,
      rejected: decoded.rejected,
      errors: decoded.errors,
      errorsTruncated: decoded.errorsTruncated,
      ignoredFields: decoded.ignoredFields,
      ignoredFieldsTruncated: decoded.ignoredFieldsTruncated,
      queue: this.coordinator.load,
    };
  }

  /** Asks the coordinator, unless the service is shutting down; what it throws is made a problem. */
  private ask<T>(question: () => T): T {
    if (this.drain.draining) {
      throw new ProblemError(
        'draining',
        'The service is shutting down; send the bars again to another replica.',
        { retryAfterMs: SECOND },
      );
    }
    try {
      return question();
    } catch (error) {
      throw acceptProblem(error, this.coordinator.retryAfterMs());
    }
  }

  /** Takes the body out of its request. */
  private decodeBody(request: IngestRequest, format: BodyFormat): DecodeResult | Promise<DecodeResult> {
    const { body, room, gone, contentEncoding, onError, onConflict } = request;
    request.body = NO_BODY;
    gone?.throwIfAborted();
    const inflated = this.inflater.inflate({ body, room, gone }, contentEncoding);
    const decodeIt = (whole: Buffer) =>
      this.decoder.decode(whole, format, onError, this.coordinator.load.capacity, onConflict, gone);
    return inflated instanceof Promise ? inflated.then(decodeIt) : decodeIt(inflated);
  }

  private requireBatch({ batch, rejected, errors, ...rest }: DecodeResult): BarBatch {
    if (batch === null && rejected === 0) throw new ProblemError('no-bars', 'The body holds no bars.');
    if (batch === null) {
      throw new ProblemError('invalid-bars', 'Nothing was stored; see `errors` for each bad bar.', {
        members: {
          rejected,
          errors,
          errors_truncated: rest.errorsTruncated,
          ignored_fields: rest.ignoredFields,
          ignored_fields_truncated: rest.ignoredFieldsTruncated,
        },
      });
    }
    return batch;
  }

  /** Resolves when the batch is safe, or committed. One promise for all of it: every request waits for this. */
  private accept(
    batch: BarBatch,
    { awaitCommit, releaseRoom }: IngestRequest,
    { taken, giveBack }: Admitted,
  ): Promise<WriteCounts | undefined> {
    return new Promise((resolve, reject) => {
      let isSafe = false;
      let isLate = false;
      const safe = (): undefined => {
        isSafe = true;
        releaseRoom?.();
        taken();
      };
      // For counts that nobody waits for it takes no memory: the queue reckons with rows.
      if (!awaitCommit) batch.repeated = undefined;
      const fail = (error: Error): void => {
        if (!isSafe) giveBack();
        reject(writeProblem(error, this.coordinator.retryAfterMs()));
      };
      const work: Promise<WriteCounts | undefined> = awaitCommit
        ? this.coordinator.acceptAwaited(batch).then(({ outcome }) => {
            safe();
            return outcome;
          })
        : this.coordinator.accept(batch).then(safe);
      const timer = setTimeout(() => {
        isLate = true;
        batch.repeated = undefined;
        fail(unconfirmed(isSafe, this.coordinator.retryAfterMs()));
      }, this.longestWaitMs);
      work.then(
        (counts) => {
          clearTimeout(timer);
          resolve(counts);
        },
        (error: unknown) => {
          clearTimeout(timer);
          if (!isLate) fail(error as Error);
        },
      );
    });
  }
}

function emptyBody(): ProblemError {
  return new ProblemError('no-bars', 'The body is empty.');
}
