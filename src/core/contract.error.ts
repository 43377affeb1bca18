/** One field of a document that breaks its contract. */
export interface ContractViolation {
  /** The field, nested ones with dots: `cluster_id.value`. Empty for the document itself. */
  readonly field: string;
  readonly detail: string;
}

/** A document that is not what its contract asks for. */
export class ContractError extends Error {
  override readonly name = 'ContractError';

  constructor(
    /** The contract, such as `FeedbackEvent`. */
    readonly contract: string,
    readonly violations: readonly ContractViolation[],
  ) {
    super(
      `not a ${contract}: ${violations.map(({ field, detail }) => `${field} ${detail}`.trim()).join('; ')}`,
    );
  }
}
