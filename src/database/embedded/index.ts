export { EmbeddedPostgres } from './embedded.postgres.js';
export {
  BinariesMissingError,
  ClusterGoneError,
  ClusterOwnerError,
  ClusterUnreachableError,
  ClusterVersionError,
  EmbeddedPostgresError,
  NoUnprivilegedUserError,
  ServerStartError,
  StartCancelledError,
} from './embedded.errors.js';
export { readRunningUrl } from './running.url.js';
export type { EmbeddedPostgresOptions } from './server.session.js';
