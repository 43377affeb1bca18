import { CreateBars1790000000000 } from './1790000000000-create-bars.js';
import { SeriesVersion1790000100000 } from './1790000100000-series-version.js';
import { LegacyCopy1790000300000 } from './1790000300000-legacy-copy.js';
import { KeptReceipts1790000400000 } from './1790000400000-kept-receipts.js';

/** Every migration, oldest first. They only go forward in production; `down` exists for development. */
export const MIGRATIONS = [
  CreateBars1790000000000,
  SeriesVersion1790000100000,
  LegacyCopy1790000300000,
  KeptReceipts1790000400000,
];
