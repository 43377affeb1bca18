import { isUtf8 } from 'node:buffer';

import { KIB } from '../../config/units.js';
import { MalformedBodyError } from './malformed-body.error.js';

const LINE_FEED = 0x0a;

/**
 * The body without a byte order mark, known to be UTF-8 without NUL bytes: decoding would otherwise turn bad bytes
 * silently into U+FFFD, and PostgreSQL's text cannot hold NUL.
 */
export function checkedBody(body: Buffer): Buffer {
  if (!isUtf8(body)) {
    throw new MalformedBodyError(`The body is not UTF-8: line ${firstBadLine(body)} has invalid bytes.`);
  }
  const nul = body.indexOf(0);
  if (nul >= 0) throw new MalformedBodyError(`The body has a NUL byte at offset ${nul}.`);
  return startsWithMark(body) ? body.subarray(3) : body;
}

/** A byte order mark. */
function startsWithMark(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}

/** Line, from 1, of the first invalid byte. No UTF-8 character of more than one byte has a line feed's byte in it. */
function firstBadLine(body: Buffer): number {
  let line = 1;
  let start = 0;
  // In long stretches first: a body may have 64 Mi lines.
  for (const stretch of [64 * KIB, 0]) {
    let end = body.indexOf(LINE_FEED, start + stretch);
    while (end >= 0 && isUtf8(body.subarray(start, end))) {
      for (; start <= end; start++) if (body[start] === LINE_FEED) line++;
      end = body.indexOf(LINE_FEED, start + stretch);
    }
  }
  return line;
}
