import {
  ForbiddenException,
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';

import { ACCESS } from './access.decorator.js';
import type { Grant, Scope } from './grant.js';
import { TokenAuthenticator } from './token.authenticator.js';

interface GuardedRequest {
  readonly headers: { readonly authorization?: string };
  readonly socket: { readonly remoteAddress?: string };
  /** What its token may do, when that is known already. */
  grant?: Grant | undefined;
}

/** Admits a request when its bearer token has a scope that the handler asks for; unmarked handlers ask for admin. */
@Injectable()
export class AdminTokenGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: TokenAuthenticator,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const required = this.reflector.getAllAndOverride<readonly Scope[] | 'public' | undefined>(ACCESS, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (required === 'public') return true;

    const request = context.switchToHttp().getRequest<GuardedRequest>();
    request.grant ??= this.authenticator.authenticate(request.headers.authorization, request.socket);
    requireScope(request.grant, required);
    return true;
  }
}

/**
 * Lets a caller go on whose token has one of the scopes; the admin token has every one.
 * @throws UnauthorizedException without a known token, ForbiddenException when it may only do something else
 */
export function requireScope(
  grant: Grant | undefined,
  required: readonly Scope[] = ['admin'],
): asserts grant is Grant {
  if (grant === undefined) throw new UnauthorizedException('A known bearer token is needed.');
  if (grant.scope === 'admin' || required.includes(grant.scope)) return;
  throw new ForbiddenException(
    `This needs a token of the scope ${[...new Set([...required, 'admin'])].join(' or ')}; this one has the scope ${grant.scope}.`,
  );
}
