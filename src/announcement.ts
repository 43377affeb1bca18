import type { AddressInfo } from 'node:net';

import { Logger } from '@nestjs/common';

import type { Settings } from './config/settings.js';
import { DEFAULT_ADMIN_TOKEN } from './config/token.settings.js';
import { VERSION } from './config/version.js';

const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/;
const EVERY_ADDRESS = /^(?:0\.0\.0\.0|::)$/;

/**
 * Tells a newcomer where everything is. A token that somebody chose is never printed.
 * @param isReady whether the database is there
 */
export function announce({ address, port }: AddressInfo, { tokens }: Settings, isReady: boolean): void {
  const isDefault = tokens.admin === DEFAULT_ADMIN_TOKEN;
  const host = address.includes(':') ? `[${address}]` : address;
  const base = `http://${EVERY_ADDRESS.test(address) ? 'localhost' : host}:${port}`;
  const logger = new Logger('main');
  if (isDefault && !LOOPBACK.test(address)) {
    logger.warn(
      `the admin token is the default, which everybody knows, and ${address} can be reached from other machines: set ADMIN_TOKEN`,
    );
  }
  logger.log(`market-data-store ${VERSION} ${isReady ? 'is ready' : 'listens and waits for its database'}`);
  logger.log(`Address  ${host}:${port}${isDefault && LOOPBACK.test(address) ? LOCAL_ONLY : ''}`);
  logger.log(
    `API      ${base}/v1/bars   (Authorization: Bearer ${isDefault ? DEFAULT_ADMIN_TOKEN : 'the ADMIN_TOKEN you set'})`,
  );
  logger.log(`Swagger  ${base}/docs`);
  logger.log(`Health   ${base}/healthz`);
}

const LOCAL_ONLY = '   (this machine only; set ADMIN_TOKEN, and others can reach it)';
