import { expect, it } from '@jest/globals';

import { mostConnections } from '../../src/config/open.files.js';

it.each([
  [1_024, 10, 886],
  [1_024, 100, 796],
  [100, 10, 16],
  [1_048_576, 10, 16_384],
  [Infinity, 10, 16_384],
])('%d open files and %d connections to the database leave room for %d clients', (limit, pool, most) => {
  expect(mostConnections(limit, pool)).toBe(most);
});
