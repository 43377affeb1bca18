export { EmbeddedPostgres } from './embedded.postgres.js';
export {
  BinariesMissingError,
  ClusterGoneError,
  ClusterOwnerError,
  ClusterUnreachableError,
  ClusterVersionError,
  EmbeddedPostgresError,
  ServerStartError,
  StartCancelledError,
} from './embedded.errors.js';
export { readRunningUrl } from './running.url.js';
