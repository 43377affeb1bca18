import { IsOptional, IsString } from 'class-validator';

/** Core v1.1.0 `ControlResult`: what came of a control action. Made by `parseContract`; immutable. */
export class ControlResult {
  /** The outcome in one word, such as `ok`. */
  @IsString()
  readonly status!: string;

  /** What happened, for a reader; absent or null when there is nothing to add. */
  @IsOptional()
  @IsString()
  readonly detail?: string | null;
}
