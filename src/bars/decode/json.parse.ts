import { MalformedBodyError } from './malformed-body.error.js';
import { escapeText } from './value.text.js';

const MAX_REASON_CHARACTERS = 160;

/** The value of a JSON text. Throws MalformedBodyError when it is none; `part` names a part of a larger document. */
export function parseJson(text: Buffer, part?: string): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${escapeText(cause.message, MAX_REASON_CHARACTERS)}` : '';
    const where = part === undefined ? '' : ` in ${part}`;
    throw new MalformedBodyError(`The body is not a JSON document${where}${reason}.`, { cause });
  }
}
