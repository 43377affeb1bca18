import type { PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';

import { ContractError } from '../core/index.js';
import { ProblemError } from './problem.error.js';

/** A body of control-plane size, parsed as JSON. */
export function parseJson(body: unknown): unknown {
  if (!Buffer.isBuffer(body) || body.length === 0) {
    throw new ProblemError('malformed-body', 'Send a JSON object as application/json.');
  }
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new ProblemError('malformed-body', 'The body is not JSON.', { cause });
  }
}

/** Reads a body as a DTO. */
export class JsonBodyPipe<T extends object> implements PipeTransform<unknown, T> {
  constructor(private readonly dto: new () => T) {}

  transform(body: unknown): T {
    const json = parseJson(body);
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new ProblemError('invalid-document', 'Send a JSON object.');
    }
    const value = plainToInstance(this.dto, json);
    const errors = validateSync(value, { whitelist: true }).map(({ property, constraints = {} }) => ({
      pointer: `/${property}`,
      detail: Object.values(constraints)[0] ?? 'is not valid',
    }));
    if (errors.length > 0) throw invalidDocument(errors);
    return value;
  }
}

/** Reads a body by a Core contract. */
export class ContractBodyPipe<T> implements PipeTransform<unknown, T> {
  constructor(private readonly parse: (json: unknown) => T) {}

  transform(body: unknown): T {
    const json = parseJson(body);
    try {
      return this.parse(json);
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      throw invalidDocument(
        error.violations.map(({ field, detail }) => ({
          pointer: field === '' ? '' : `/${field.replaceAll('.', '/')}`,
          detail,
        })),
      );
    }
  }
}

function invalidDocument(errors: readonly { pointer: string; detail: string }[]): ProblemError {
  const detail = errors.map((error) => `${error.pointer} ${error.detail}`.trim()).join('; ');
  return new ProblemError('invalid-document', `${detail}.`, { members: { errors } });
}
