import { CreateBars1790000000000 } from './1790000000000-create-bars.js';

/** Every migration, oldest first. They only go forward in production; `down` exists for development. */
export const MIGRATIONS = [CreateBars1790000000000];
