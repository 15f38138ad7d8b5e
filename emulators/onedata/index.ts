/** A Onedata zone and provider in one process, for tests of Onedata clients. */

export { pathCaveat } from './access.ts';
export { bundleEmulator } from './bundle.ts';
export { type EmulatorOptions, INSTANCE_SPACES, instanceDefaults } from './configuration.ts';
export type { Emulator } from './context.ts';
export { startEmulator } from './emulator.ts';
export { type FaultRule, randomFaults } from './faults.ts';
export { EMULATOR, emulatorManifests } from './manifests.ts';
export { type EmulatorCredentials, type Exec, RemoteEmulator } from './remote.ts';
export type { Caveat, MintRequest } from './tokens.ts';
