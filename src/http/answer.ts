import { STATUS_CODES } from 'node:http';

import { SECOND } from '../config/units.js';
import { SECURITY_HEADERS } from './security.headers.js';
import { KEEP_ALIVE_MS } from './time.limits.js';

/** What a request is answered with. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const KEPT = `Connection: keep-alive\r\nKeep-Alive: timeout=${KEEP_ALIVE_MS / SECOND}\r\n`;
const CLOSED = 'Connection: close\r\n';
const SECURITY = Object.entries(SECURITY_HEADERS)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

let now = { second: 0, text: '' };

/** The answer as it goes over the wire (RFC 9112), with the headers that Node's server would add. */
export function wireText({ status, headers, body }: Answer, requestId: string, closes: boolean): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${SECURITY}x-request-id: ${requestId}\r\n`;
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
  const length = Buffer.byteLength(body);
  return `${head}content-length: ${length}\r\nDate: ${dateText()}\r\n${closes ? CLOSED : KEPT}\r\n${body}`;
}

/** Now, as HTTP writes it. Made anew once a second. */
function dateText(): string {
  const second = Math.floor(Date.now() / SECOND);
  if (second !== now.second) now = { second, text: new Date(second * SECOND).toUTCString() };
  return now.text;
}
