/**
 * Reads an address from the settings; a TypeError when it is not a URL of one of the protocols. The message leaves
 * the address out, and so does the error's cause: either could carry a password into a log.
 */
export function parseEndpoint(name: string, address: string, protocols: readonly string[]): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !protocols.includes(url.protocol)) {
    throw new TypeError(`${name} must be a URL that begins with ${protocols.join('// or ')}//`);
  }
  return url;
}
