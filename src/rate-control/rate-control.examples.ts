const PROVIDER = {
  provider: 'ibkr',
  refill_rate: 200_000,
  burst: 400_000,
  scale: 1,
  pressure: 'ok',
  tokens: 400_000,
  circuit_state: 'closed',
  cooldown_until: null,
};

/** What a question about one provider answers. */
export const PROVIDER_EXAMPLE = PROVIDER;

/** One that sends bars and for which no rate is set. */
const PROVIDER_WITHOUT_RATE = {
  ...PROVIDER,
  provider: 'polygon',
  refill_rate: null,
  burst: null,
  tokens: null,
};

/** What GET /v1/rate-control/providers answers. */
export const PROVIDERS_EXAMPLE = { providers: [PROVIDER, PROVIDER_WITHOUT_RATE] };

/** A body of PUT /v1/rate-control/providers/{name}. */
export const RATE_EXAMPLES = { rate: { value: { refill_rate: 200_000, burst: 400_000 } } };

/** A body of POST .../acquire, and its answer. */
export const ACQUIRE_EXAMPLES = { batch: { value: { tokens: 5_000 } } };
export const ACQUIRED_EXAMPLE = { granted: 5_000, remaining: 395_000 };

/** A body of POST .../cooldown. */
export const COOLDOWN_EXAMPLES = { pause: { value: { seconds: 30 } } };

/** A body of POST /v1/rate-control/adjustments, and its answer. */
export const ADJUSTMENT_EXAMPLES = {
  slower: { value: { provider: 'ibkr', scale: 0.5, reason: 'soft', ts: 1760659200.25 } },
};
export const ADJUSTED_EXAMPLE = { status: 'accepted' };
