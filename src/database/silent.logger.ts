import type { Logger } from 'typeorm';

const ignore = (): void => undefined;

/** TypeORM prints lines of its own past the log, also of errors that it throws. Their callers log those. */
export const SILENT_LOGGER: Logger = {
  logQuery: ignore,
  logQueryError: ignore,
  logQuerySlow: ignore,
  logSchemaBuild: ignore,
  logMigration: ignore,
  log: ignore,
};
