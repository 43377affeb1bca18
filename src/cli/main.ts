#!/usr/bin/env node
import { Command, CommanderError } from 'commander';

import { loadEnvironmentFile } from '../config/environment.file.js';
import { VERSION } from '../config/version.js';
import { EXIT, type ExitCode } from './exit.codes.js';
import { addSchemaCommands } from './schema/schema.command.js';
import { addSpoolCommands } from './spool/spool.command.js';

const DENIED: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM']);

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return DENIED.has(code) ? `${error.message}; run it as the user of the service` : error.message;
}

// Whoever reads our output may have seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const program = new Command('mds')
  .description('market-data-store from the command line')
  .version(VERSION)
  .exitOverride();
const finish = (code: ExitCode) => (process.exitCode = code);
addSpoolCommands(program, finish);
addSchemaCommands(program, finish);

try {
  loadEnvironmentFile();
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) process.stderr.write(`mds: ${sentenceOf(error)}\n`);
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? EXIT.sound : EXIT.failed;
}
