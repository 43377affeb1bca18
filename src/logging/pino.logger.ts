import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

/** Nest's own accounts of wiring and routes: of use when something is missing, noise otherwise. */
const WIRING = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** Where Nest logs the error that ends the start, which service.ts tells in its own words. */
const START_FAILURE = 'ExceptionHandler';

/** How log lines look. */
export interface LogOptions {
  readonly level: string;
  /** JSON lines for machines, otherwise readable ones. */
  readonly json: boolean;
}

/** Nest's logger on pino. */
export class PinoLogger implements LoggerService {
  private readonly pino: Logger;

  constructor({ level, json }: LogOptions) {
    const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
    this.pino = json
      ? pino({ ...options, formatters: { level: (label) => ({ level: label }) } })
      : pino(
          options,
          pretty({
            colorize: process.stdout.isTTY,
            translateTime: 'SYS:HH:MM:ss.l',
            ignore: 'context',
            // Stacks of errors still have their lines.
            singleLine: true,
            messageFormat: '{if context}[{context}] {end}{msg}',
            // Written at once: the last lines before a crash are those that matter.
            sync: true,
          }),
        );
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write(WIRING.has(String(rest[rest.length - 1])) ? 'debug' : 'info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  /** Nest passes the context last and, with errors, a stack before it. */
  private write(
    level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace',
    message: unknown,
    rest: unknown[],
  ): void {
    const texts = rest.filter((part): part is string => typeof part === 'string');
    const context = texts.pop();
    if (context === START_FAILURE) return;
    const fields = { context, ...(texts.length > 0 ? { stack: texts.join('\n') } : {}) };
    if (message instanceof Error) this.pino[level]({ ...fields, err: message }, message.message);
    else if (typeof message === 'object' && message !== null) this.pino[level]({ ...fields, ...message });
    else this.pino[level](fields, String(message));
  }
}
