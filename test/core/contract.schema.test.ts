import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { describe, expect, it } from '@jest/globals';
import { IsEmail, IsIn, IsOptional } from 'class-validator';

import { ContractFiles } from '../../src/core/contract.files.js';
import { CONTRACTS, schemaOf } from '../../src/core/index.js';

describe('the committed schemas', () => {
  it.each([...CONTRACTS.keys()])('%s is what the class gives; mend it with `npm run contracts`', (name) => {
    expect(ContractFiles.read().get(name)).toBe(ContractFiles.generate().get(name));
  });

  it('there is no file of a contract that is gone', () => {
    const files = [...CONTRACTS.keys()].map((name) => `${name}.schema.json`);
    expect(readdirSync(resolve('contracts')).sort()).toEqual(files.sort());
  });

  it('are written as they are read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mds-contracts-'));
    try {
      ContractFiles.generate().write(folder);
      expect(ContractFiles.read(folder)).toEqual(ContractFiles.read());
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('a missing one stops the start and is named', () => {
    expect(() => ContractFiles.read(tmpdir())).toThrow('federation.ClusterTopology.schema.json');
  });
});

describe('a schema made from a class', () => {
  it('lets an optional word be null', () => {
    class Choice {
      @IsOptional()
      @IsIn(['a', 'b'])
      readonly word?: string | null;
    }
    expect(schemaOf('test.Choice', Choice)).toMatchObject({
      required: [],
      properties: { word: { type: ['string', 'null'], enum: ['a', 'b', null] } },
    });
  });

  it('is not made when a rule has no counterpart, since it would accept too much', () => {
    class Letter {
      @IsEmail()
      readonly to!: string;
    }
    expect(() => schemaOf('test.Letter', Letter)).toThrow('no JSON Schema keyword for isEmail on Letter.to');
  });
});
