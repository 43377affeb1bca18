/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** The service cannot listen where it was told to; the message says what to do. */
export class PortError extends Error {
  constructor({ host, port }: ListenAddress, cause: NodeJS.ErrnoException) {
    const code = cause.code ?? cause.message;
    super(`the service does not start: ${host}:${port} cannot be listened on (${code}); ${remedy(code)}`, {
      cause,
    });
    this.name = 'PortError';
  }
}

function remedy(code: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another program has the port: stop it, or set APP_PORT to another port';
    case 'EACCES':
      return 'the port is for privileged users: set APP_PORT to 1024 or above';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address: set APP_HOST to one that it has';
    default:
      return 'see APP_HOST and APP_PORT';
  }
}
