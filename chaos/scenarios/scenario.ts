/** How long and how hard. */
export interface ScenarioOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly mib: number;
  /** A revision of git. */
  readonly from: string;
  readonly log: (line: string) => void;
}

/** Something that is done to the service for its own sake, beside the faults. */
export interface Scenario {
  readonly name: string;
  /** For people: what happens, and which option says how much. */
  readonly what: string;
  /** @returns a sentence for each thing that is not as it was promised */
  run(options: ScenarioOptions): Promise<string[]>;
}
