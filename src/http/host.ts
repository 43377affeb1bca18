/** RFC 3986 3.2.2 and 3.2.3: an IP literal in brackets, or a name or IPv4 address, and a port. */
const HOST =
  /^(?:\[(?:[\da-f:.]*:[\da-f:.]*|v[\da-f]+\.[\w.~!$&'()*+,;=:-]+)\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})*)(?::\d*)?$/i;

/** Whether a Host field is valid (RFC 9110 7.2). An empty one is: the name of a host may have no characters. */
export function isHost(field: string): boolean {
  return HOST.test(field);
}
