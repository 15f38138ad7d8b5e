export type { ConfigValue } from './config.ts';
export { EngineError } from './protocol.ts';
export { type Registration, type RunOptions, runProgram } from './record.ts';
