import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Calls back once when an answer was sent or its connection is gone. A pipelined answer that never got its turn has
 * no end of its own: only its connection tells.
 */
export function onceEnded(request: FastifyRequest, reply: FastifyReply, callback: () => void): void {
  const { socket } = request.raw;
  // One listener for each pipelined request is no leak.
  socket.setMaxListeners(0);
  const end = (): void => {
    socket.off('close', end);
    reply.raw.off('close', end);
    callback();
  };
  socket.once('close', end);
  reply.raw.once('close', end);
}
