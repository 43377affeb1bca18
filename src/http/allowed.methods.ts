/** The methods that each address takes, so that a wrong one is answered 405 with `Allow`. */
export class AllowedMethods {
  private readonly routes: { readonly pattern: RegExp; readonly method: string }[] = [];

  /** Notes a route by its template, such as `/v1/dlq/:id`. */
  add(method: string, template: string): void {
    const source = template
      .split('/')
      .map((part) => (part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
      .join('/');
    this.routes.push({ pattern: new RegExp(`^${source}/?$`), method });
  }

  /** The methods of an address, sorted; none when it is not one of ours. */
  of(path: string): string[] {
    const methods = this.routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    return [...new Set(methods)].sort();
  }
}
