import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Calls back once when an answer was sent or its connection is gone. A pipelined answer that has not got its turn yet
 * may never have an end of its own: only its connection tells.
 */
export function onceEnded(request: FastifyRequest, reply: FastifyReply, callback: () => void): void {
  const answer = reply.raw;
  if (answer.socket !== null) {
    answer.once('close', callback);
    return;
  }
  const { socket } = request.raw;
  // One listener for each pipelined request is no leak.
  socket.setMaxListeners(0);
  const end = (): void => {
    socket.off('close', end);
    answer.off('close', end);
    callback();
  };
  socket.once('close', end);
  answer.once('close', end);
}
