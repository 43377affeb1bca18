import {
  ForbiddenException,
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';

import { ACCESS } from './access.decorator.js';
import { TokenAuthenticator, type Scope } from './token.authenticator.js';

interface GuardedRequest {
  readonly headers: { readonly authorization?: string };
  /** Whose token it is, when that is known already. */
  readonly scope?: Scope | undefined;
}

/** Admits a request when its bearer token has the scope that the handler asks for; unmarked handlers ask for admin. */
@Injectable()
export class AdminTokenGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: TokenAuthenticator,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const required =
      this.reflector.getAllAndOverride<Scope | 'public' | undefined>(ACCESS, [
        context.getHandler(),
        context.getClass(),
      ]) ?? 'admin';
    if (required === 'public') return true;

    const request = context.switchToHttp().getRequest<GuardedRequest>();
    const scope = request.scope ?? this.authenticator.authenticate(request.headers.authorization);
    requireScope(scope, required);
    return true;
  }
}

/**
 * Lets a caller go on whose token has the scope; the admin token has every one.
 * @throws UnauthorizedException without a known token, ForbiddenException when it may only do something else
 */
export function requireScope(scope: Scope | undefined, required: Scope): void {
  if (scope === undefined) throw new UnauthorizedException('A known bearer token is needed.');
  if (scope === required || scope === 'admin') return;
  throw new ForbiddenException(`The token may only ${scope === 'read' ? 'read' : 'write bars'}.`);
}
