import { existsSync } from 'node:fs';

/** Adds what `.env` in the working directory sets to the environment; what is set already stays. */
export function loadEnvironmentFile(): void {
  if (existsSync('.env')) process.loadEnvFile();
}
