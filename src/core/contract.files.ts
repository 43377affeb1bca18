import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { CONTRACTS } from './contract.catalogue.js';
import { schemaOf } from './contract.schema.js';

/** The JSON Schema files of the contracts, as committed, by the name of the contract. */
export class ContractFiles {
  private constructor(private readonly texts: ReadonlyMap<string, string>) {}

  /** Reads the file of every contract from the package. */
  static read(folder = packageFolder()): ContractFiles {
    const names = [...CONTRACTS.keys()];
    return new ContractFiles(
      new Map(names.map((name) => [name, readFileSync(fileOf(folder, name), 'utf8')])),
    );
  }

  /** Makes the files anew from the classes. */
  static generate(): ContractFiles {
    const entries = [...CONTRACTS].map(
      ([name, contract]) => [name, `${JSON.stringify(schemaOf(name, contract), null, 2)}\n`] as const,
    );
    return new ContractFiles(new Map(entries));
  }

  /** Writes them into the package, or another folder. */
  write(folder = packageFolder()): void {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of this.texts) writeFileSync(fileOf(folder, name), text);
  }

  /** The text of one, or undefined when there is no such contract. */
  get(name: string): string | undefined {
    return this.texts.get(name);
  }
}

function fileOf(folder: string, name: string): string {
  return join(folder, `${name}.schema.json`);
}

/** The package lies above this file, at a depth that differs between sources and build. */
function packageFolder(): string {
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    if (existsSync(join(directory, 'package.json'))) return join(directory, 'contracts');
    if (directory === dirname(directory)) throw new Error(`no package.json above ${import.meta.dirname}`);
  }
}
