import { SetMetadata } from '@nestjs/common';

import type { Scope } from './token.authenticator.js';

/** Metadata key of what a handler asks of its caller. */
export const ACCESS = 'access';

/** Lets anyone call the handler: probes, metrics, documentation. */
export const Public = () => SetMetadata(ACCESS, 'public');

/** Lets tokens of this scope call the handler; the admin token always may. Without it only the admin token may. */
export const RequiresScope = (scope: Scope) => SetMetadata(ACCESS, scope);
