import { randomUUID } from 'node:crypto';

/** Tells what this process published on Redis from what others did. */
export const PROCESS_ORIGIN = randomUUID();
