import type { FeedbackParser } from './coordinator/feedback.inbox.js';
import { type FeedbackEvent, parseFeedbackEvent } from './coordinator/index.js';
import { parseDuckTypedEvent } from './rate-control/index.js';

/** How events from elsewhere are read: as Core's contract alone, or for one more release also in their older form. */
export function feedbackParser(useCoreContracts: boolean): FeedbackParser {
  return useCoreContracts ? parseFeedbackEvent : parseOlderEvent;
}

/** What an older event calls its reason need not be a text; such a one is left out. */
function parseOlderEvent(document: unknown): FeedbackEvent {
  const event = parseDuckTypedEvent(document);
  const { reason } = document as { reason?: unknown };
  return parseFeedbackEvent(typeof reason === 'string' ? Object.assign({ reason }, event) : event);
}
