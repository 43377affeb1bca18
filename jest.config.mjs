import { availableParallelism } from 'node:os';

// NestJS 12 is pure ESM and Jest on Node 20 cannot `require` it untransformed, hence the empty ignore list.
/** @type {import('jest').Config} */
export default {
  rootDir: '.',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: {
    '^.+\\.[cm]?[jt]s$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
        module: { type: 'commonjs' },
      },
    ],
  },
  transformIgnorePatterns: [],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1.js', '$1'] },
  // Most tests wait, for a server that starts or a disk: three files at once take little longer than one.
  maxWorkers: Math.max(3, availableParallelism() - 1),
  testSequencer: '<rootDir>/test/support/long.first.sequencer.mjs',
  globalSetup: '<rootDir>/test/support/global.setup.ts',
  globalTeardown: '<rootDir>/test/support/global.teardown.ts',
  // For a machine that is busy with something else: no test has a limit of its own.
  testTimeout: 600_000,
  reporters: ['default', '<rootDir>/test/support/slowest.files.reporter.mjs'],
};
