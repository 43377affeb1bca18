import { describe, expect, it } from '@jest/globals';

import { problemsOf } from './settings.problems.js';

describe('a name in the environment', () => {
  it.each([
    ['ADMIN_TOKN', 'ADMIN_TOKEN'],
    ['APP_PROT', 'APP_PORT'],
    ['MDS_COORDINATOR_BATCHSIZE', 'MDS_COORDINATOR_BATCH_SIZE'],
    ['MDP_RATE_PROVIDER', 'MDP_RATE_PROVIDERS'],
    ['INGEST_TOKENS', 'INGEST_TOKEN'],
    ['FEEDBACK_TOKENFILE', 'FEEDBACK_TOKEN_FILE'],
    ['READ_TOKEN_FILES', 'READ_TOKEN_FILE'],
  ])('that is no setting, %s, is told with the nearest that is one', (name, nearest) => {
    expect(problemsOf({ [name]: 's3cret' })).toEqual([`${name} is no setting; the nearest is ${nearest}`]);
  });

  it.each(['MDS_PAINT_IT_BLACK', 'APP_ENVIRONMENT_LABEL', 'READ_REPLICA_COUNT'])(
    'that resembles no setting, %s, is told without one',
    (name) => {
      expect(problemsOf({ [name]: 'x' })).toEqual([`${name} is no setting`]);
    },
  );

  it('is told also when it is set to nothing: it is the name that is wrong', () => {
    expect(problemsOf({ ADMIN_TOKN: '' })).toHaveLength(1);
  });

  it.each([
    'MDS_TEST_NO_SKIP',
    'MDSX',
    'mds_data_dir',
    'PATH',
    'POSTGRES_URL',
    'THREAD_COUNT',
    'HTTP_READ_X',
  ])('%s is none of ours', (name) => {
    expect(problemsOf({ [name]: 'x' })).toEqual([]);
  });

  it('that Kubernetes sets for a Service named mds, or one whose name begins so, is let be', () => {
    const links = (name: string) => ({
      [`${name}_SERVICE_HOST`]: '10.0.0.1',
      [`${name}_SERVICE_PORT`]: '8081',
      [`${name}_SERVICE_PORT_HTTP`]: '8081',
      [`${name}_PORT`]: 'tcp://10.0.0.1:8081',
      [`${name}_PORT_8081_TCP`]: 'tcp://10.0.0.1:8081',
      [`${name}_PORT_8081_TCP_PROTO`]: 'tcp',
      [`${name}_PORT_8081_TCP_PORT`]: '8081',
      [`${name}_PORT_8081_TCP_ADDR`]: '10.0.0.1',
      [`${name}_PORT_53_UDP`]: 'udp://10.0.0.1:53',
    });
    const services = ['MDS', 'MDS_STORE', 'APP_SERVER', 'ADMIN_PANEL', 'READ_API', 'INGEST_GATEWAY'];
    expect(problemsOf(Object.assign({}, ...services.map(links)) as Record<string, string>)).toEqual([]);
  });

  it('that only looks so is told', () => {
    expect(problemsOf({ MDS_PORT: '8081' })).toHaveLength(1);
    expect(
      problemsOf({ MDS_SERVICE_NAME: 'x', MDS_PORT_TCP: 'x', MDS_PORT_8081_TCP_HOST: 'x' }),
    ).toHaveLength(3);
  });
});
