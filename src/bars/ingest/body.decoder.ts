import { MIB } from '../../config/units.js';
import { Turnstile } from '../../concurrency/turnstile.js';
import { ProblemError } from '../../http/problem.error.js';
import {
  type BodyFormat,
  decodeBars,
  decodeBarsInTurns,
  type DecodeResult,
  type OnRowError,
} from '../decode/bars.decoder.js';
import type { OnConflict } from '../bar.batch.js';
import type { RowErrorCode } from '../decode/row-error.codes.js';
import { MalformedBodyError } from '../decode/malformed-body.error.js';
import type { SymbolCase } from '../symbol.case.js';
import { TooManyBarsError } from '../too-many-bars.error.js';

/** The longest body that is decoded without a pause, bytes: some 10,000 bars. */
const SHORT_BODY = 2 * MIB;

/**
 * Decodes bodies: a short one at once, a long one with pauses in which others are served. Of the long ones only one is
 * decoded at a time, in the order in which they came, so that the memory of one batch is enough.
 */
export class BodyDecoder {
  private readonly longOnes = new Turnstile(1);

  /** `onRejected` hears of bad rows: why they are refused, and how many. */
  constructor(
    private readonly symbolCase: SymbolCase,
    private readonly onRejected: (code: RowErrorCode, rows: number) => void = () => undefined,
  ) {}

  /**
   * Takes at most `maxBars` good rows.
   * @param gone aborted when nobody waits for it any more; the reason is the error to end with
   * @throws ProblemError `malformed-body`, `body-too-large`
   */
  decode(
    body: Buffer,
    format: BodyFormat,
    onError: OnRowError,
    maxBars: number,
    onConflict: OnConflict = 'replace',
    gone?: AbortSignal,
  ): DecodeResult | Promise<DecodeResult> {
    if (body.length > SHORT_BODY) return this.decodeLong(body, format, onError, maxBars, onConflict, gone);
    try {
      return this.counted(decodeBars(body, format, onError, maxBars, this.symbolCase, onConflict));
    } catch (error) {
      throw decodingProblem(error);
    }
  }

  private async decodeLong(
    body: Buffer,
    format: BodyFormat,
    onError: OnRowError,
    maxBars: number,
    onConflict: OnConflict,
    gone: AbortSignal | undefined,
  ): Promise<DecodeResult> {
    const isIn = await this.longOnes.enter(Infinity, gone);
    if (!isIn) throw gone?.reason;
    try {
      return this.counted(
        await decodeBarsInTurns(body, format, onError, maxBars, this.symbolCase, onConflict, gone),
      );
    } catch (error) {
      throw decodingProblem(error);
    } finally {
      this.longOnes.leave();
    }
  }

  private counted(result: DecodeResult): DecodeResult {
    for (const [code, rows] of result.rejectedByCode) this.onRejected(code, rows);
    return result;
  }
}

function decodingProblem(error: unknown): unknown {
  if (error instanceof TooManyBarsError)
    return new ProblemError('body-too-large', error.message, { cause: error });
  if (error instanceof MalformedBodyError)
    return new ProblemError('malformed-body', error.message, { cause: error });
  return error;
}
