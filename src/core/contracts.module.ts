import { Module } from '@nestjs/common';

import { ContractFiles } from './contract.files.js';
import { ContractsController } from './contracts.controller.js';

/** The JSON Schemas of the Core contracts at /contracts. */
@Module({
  controllers: [ContractsController],
  providers: [{ provide: ContractFiles, useFactory: () => ContractFiles.read() }],
})
export class ContractsModule {}
