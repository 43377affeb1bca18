import { registerAs } from '@nestjs/config';

import { readSettings } from './settings.js';

/** The settings as a namespace of Nest's ConfigModule. */
export const settingsConfig = registerAs('settings', () => readSettings(process.env));

/** Injection token of the one `Settings` object. */
export const SETTINGS = settingsConfig.KEY;
