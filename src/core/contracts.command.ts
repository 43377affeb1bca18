import { ContractFiles } from './contract.files.js';

// `npm run contracts`
ContractFiles.generate().write();
