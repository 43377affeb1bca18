import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';

import { ACCESS } from '../config/access.decorator.js';
import { assertNoneUnknown } from './query.pipe.js';

const QUERY_ARGUMENT = `${RouteParamtypes.QUERY}:`;

/**
 * Refuses every query parameter of an operation that declares none; the others have `queryPipe`. It comes after the
 * guard. What is public is left out: probes and scrapers add parameters of their own.
 */
@Injectable()
export class QueryInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  intercept(context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    const names = Object.keys(context.switchToHttp().getRequest<FastifyRequest>().query ?? {});
    if (names.length > 0 && !this.isPublic(context) && !declaresQuery(context)) assertNoneUnknown(names);
    return next.handle();
  }

  private isPublic(context: ExecutionContext): boolean {
    return this.reflector.getAllAndOverride(ACCESS, [context.getHandler(), context.getClass()]) === 'public';
  }
}

/** Whether the handler has an argument with `@Query`. */
function declaresQuery(context: ExecutionContext): boolean {
  const declared = Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), context.getHandler().name) as
    object | undefined;
  return Object.keys(declared ?? {}).some((key) => key.startsWith(QUERY_ARGUMENT));
}
