import type { DeadLetterContentDto, DeadLetterPageDto } from './dead-letters.dto.js';

const RECORD = {
  id: '1767312000250000-42-17',
  rows: 1,
  reason: 'sqlstate_23514',
  sqlstate: '23514',
  detail: 'new row for relation "bars_2026" violates check constraint "close_is_sane"',
  received_at: '2026-01-02T00:00:00.250Z',
  refused_at: '2026-01-02T00:00:01.000Z',
  on_conflict: 'replace' as const,
};

/** A page of the dead-letter queue. */
export const DEAD_LETTERS_EXAMPLE: DeadLetterPageDto = { records: [RECORD], next_page_token: null };

/** One record with its row. */
export const DEAD_LETTER_EXAMPLE: DeadLetterContentDto = {
  ...RECORD,
  content: [
    {
      provider: 'ibkr',
      symbol: 'AAPL',
      interval: '1d',
      ts: '2026-01-02T00:00:00Z',
      open: 187.15,
      high: 188.44,
      low: 183.89,
      close: 185.64,
      volume: 82488700,
    },
  ],
};

/** One record replayed. */
export const REPLAYED_EXAMPLE = { replayed: 1 };
