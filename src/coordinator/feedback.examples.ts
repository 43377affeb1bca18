const EVENT = {
  coordinator_id: 'bars-store-0',
  queue_size: 850,
  capacity: 1000,
  level: 'soft',
  source: 'store',
  ts: 1760659200.25,
  reason: 'soft_watermark',
};

/** A body of POST /v1/feedback. */
export const FEEDBACK_EXAMPLES = { event: { summary: 'Another store fills up', value: EVENT } };

/** What GET /v1/feedback answers. */
export const FEEDBACK_LIST_EXAMPLE = { events: [{ ...EVENT, utilization: 0.85 }] };

/** What POST /v1/feedback answers. */
export const ACCEPTED_EXAMPLE = { status: 'accepted' };
