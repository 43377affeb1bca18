const HEALTHY = {
  service: 'market-data-store',
  state: 'healthy',
  components: [
    { name: 'database', state: 'healthy', details: { response_ms: '1' } },
    { name: 'prometheus', state: 'healthy', details: { metrics: '48' } },
    {
      name: 'coordinator',
      state: 'healthy',
      details: { level: 'ok', circuit: 'closed', queue: '0 of 500000 rows', workers: '4' },
    },
    {
      name: 'spool',
      state: 'healthy',
      details: { bytes: '94072000 of 2147483648', rows: '0', oldest_age_seconds: '0', dlq_records: '0' },
    },
    {
      name: 'clock',
      state: 'healthy',
      details: { machine_ahead_seconds: '-0.002', receipt_ahead_seconds: '0.000', read_seconds_ago: '21' },
    },
    { name: 'feedback_bus', state: 'healthy', details: { readers: '0' } },
    { name: 'rate_control', state: 'healthy', details: { level: 'ok', providers: '1', with_rate: '0' } },
  ],
  version: '0.4.0',
  ts: 1767312000.25,
};

const [DATABASE, ...OTHERS] = HEALTHY.components;

/** What /livez answers. */
export const LIVEZ_EXAMPLE = { ...HEALTHY, components: [], ok: true };

/** What /healthz answers. */
export const HEALTHZ_EXAMPLE = { ...HEALTHY, ok: true };

/** What /readyz answers when the service is ready. */
export const READY_EXAMPLE = { ...HEALTHY, ready: true };

/** What /readyz answers while the database is away. */
export const NOT_READY_EXAMPLE = {
  ...HEALTHY,
  state: 'degraded',
  components: [
    { ...DATABASE, state: 'unhealthy', details: { message: 'connect ECONNREFUSED 127.0.0.1:5432' } },
    ...OTHERS,
  ],
  ready: false,
};

/** What /readyz?verbose answers when the service is ready. */
export const READY_TEXT =
  '[+]database ok\n[+]prometheus ok\n[+]coordinator ok\n[+]spool ok\n[+]clock ok\n[+]feedback_bus ok\n[+]rate_control ok\nreadyz check passed\n';

/** What /readyz?verbose answers while the database is away. */
export const NOT_READY_TEXT =
  '[-]database failed: connect ECONNREFUSED 127.0.0.1:5432\n[+]prometheus ok\n[+]coordinator ok\n[+]spool ok\n[+]clock ok\n[+]feedback_bus ok\n[+]rate_control ok\nreadyz check failed\n';
