import { UNPRINTABLE } from '../../config/printable.text.js';

/** Characters of a value that an error detail shows at most. */
const MAX_CHARACTERS = 64;

/** A value as error details name it: text in quotes, numbers as they are, objects and arrays only by their kind. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `"${escapeText(value)}"`;
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** The text with unsafe characters escaped as in JSON, shortened to at most `limit` characters. */
export function escapeText(text: string, limit = MAX_CHARACTERS): string {
  let escaped = '';
  let shortened = '';
  // A character is at least one code unit: what lies beyond can only be cut off.
  for (const character of text.slice(0, limit + 1)) {
    if (escaped.length < limit) shortened = escaped;
    escaped += UNPRINTABLE.test(character) ? escapeCharacter(character) : character;
    if (escaped.length > limit) return `${shortened}…`;
  }
  return escaped;
}

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\r') return '\\r';
  if (character === '\t') return '\\t';
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
