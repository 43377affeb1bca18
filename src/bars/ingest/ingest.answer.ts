import type { Answer } from '../../http/answer.js';
import { IngestResultDto, StoredResultDto } from '../dto/ingest-result.dto.js';
import { CONTENT_TYPES } from '../read/bar.layout.js';
import type { IngestResult } from './ingest.service.js';

/** What a body that was taken is answered with: 202 when it is safe, 200 when it is committed. */
export function ingestAnswer(result: IngestResult): Answer {
  const headers = { 'content-type': CONTENT_TYPES.json, 'x-backpressure': result.queue.level };
  if (!result.counts) return { status: 202, headers, body: `${IngestResultDto.textOf(result)}\n` };
  return { status: 200, headers, body: `${StoredResultDto.storedTextOf(result, result.counts)}\n` };
}
