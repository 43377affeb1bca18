import { type Measurement, ratios } from '../measurement.js';

const SYMBOLS = 1_000;
const MINUTES = 60;
/** Not counted, however little is measured: code is compiled. */
const WARM_UP_MINUTES = 30;
const CONNECTIONS = 64;

/** One bar a request, against a bare Fastify handler that reads the same body. */
export const measureSingle: Measurement = async (rig, { rounds, scale }, tell) => {
  const service = await rig.startService();
  const fastify = await rig.startFastify();
  const minutes = Math.round(MINUTES * scale);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = -1; round < rounds; round += 1) {
    const block = {
      symbols: SYMBOLS,
      firstMinute: (round + 1) * MINUTES,
      minutes: round < 0 ? WARM_UP_MINUTES : minutes,
    };
    const options = { block, clients: CONNECTIONS, batchRows: 1 };
    await rig.clear();
    const target = service.target();
    const posted = await rig.load.run('post', { ...options, target });
    // With the token: the same bytes.
    const read = await rig.load.run('post', {
      ...options,
      target: { ...fastify.target, token: target.token },
    });
    if (round >= 0) {
      ours.push(posted.requests / posted.answeredSeconds);
      bare.push(read.requests / read.answeredSeconds);
    }
    tell(round < 0 ? 'warmed up' : `round ${round + 1} of ${rounds}`);
  }
  await service.stop();
  return {
    figures: [
      { name: 'the service, acknowledged durable', unit: 'requests/s', samples: ours },
      { name: 'bare Fastify handler', unit: 'requests/s', samples: bare },
    ],
    comparisons: [
      {
        name: 'one row a request / bare Fastify',
        samples: ratios(ours, bare),
        unit: 'x',
        better: 'higher',
        goal: 0.7,
        floor: 0.6,
      },
    ],
    notes: [`${minutes * SYMBOLS} requests of one bar on ${CONNECTIONS} keep-alive connections.`],
  };
};
