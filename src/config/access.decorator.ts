import { applyDecorators, SetMetadata } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExtension } from '@nestjs/swagger';

import type { Scope } from './grant.js';

/** Metadata key of what a handler asks of its caller. */
export const ACCESS = 'access';

/** Where an operation of the API document names its scopes until the document is complete. */
export const SCOPES_EXTENSION = 'x-scopes';

/** Lets anyone call the handler: probes, metrics, documentation. */
export const Public = () => SetMetadata(ACCESS, 'public');

/** Lets tokens of these scopes call the handler; the admin token always may. Without it only the admin token may. */
export const RequiresScope = (...scopes: Scope[]): MethodDecorator =>
  // The route knows it too: a body is not read before its sender is known to have the scope.
  applyDecorators(
    SetMetadata(ACCESS, scopes),
    RouteConfig({ scopes }),
    ApiExtension(SCOPES_EXTENSION, scopes),
  );

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scopes of which a request needs one; without it the admin token. */
    readonly scopes?: readonly Scope[];
  }
}
