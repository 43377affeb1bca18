import type { Server } from 'node:http';
import type { Socket } from 'node:net';

import { DirectConnection, type DirectOptions } from './direct.connection.js';

/** The connections of a server that begin as DirectConnections. */
export interface DirectServer {
  /** Ends those that are still direct, after the answers that are due. To be called before the server is closed. */
  close(): void;
}

/** Has the server's connections begin as DirectConnections. */
export function answerDirectly(server: Server, options: DirectOptions): DirectServer {
  const open = new Set<DirectConnection>();
  const [serve] = server.listeners('connection') as [(this: Server, socket: Socket) => void];
  let closing = false;
  const ownOptions = { ...options, isClosing: () => closing || options.isClosing() };
  server.off('connection', serve);
  server.on('connection', (socket: Socket) => {
    if (closing) {
      serve.call(server, socket);
      return;
    }
    const connection = new DirectConnection(socket, ownOptions, (unread) => {
      open.delete(connection);
      if (unread === undefined) return;
      // Put back while it is paused, or it would flow past the server.
      socket.pause();
      socket.unshift(unread);
      serve.call(server, socket);
      socket.resume();
    });
    open.add(connection);
  });
  return {
    close: () => {
      closing = true;
      for (const connection of [...open]) connection.close();
    },
  };
}
