import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type EmulatorOptions, instanceDefaults, parseConfiguration } from './configuration.ts';
import { startEmulator } from './emulator.ts';

/** Options of the command line, as it gives them. */
export interface ServeOptions {
  readonly config?: string;
  readonly data: string;
  readonly port: string;
  readonly onedataVersion: string;
  readonly seed: string[];
}

function optionsOf(given: ServeOptions): EmulatorOptions {
  if (given.config !== undefined) {
    return parseConfiguration(contentOf(given.config), given.config);
  }
  const seeds = new Map(given.seed.map((text) => text.split('=', 2) as [string, string]));
  const { spaces = [], tokens = [] } = instanceDefaults();
  return parseConfiguration({
    dataDirectory: given.data,
    listen: { port: Number(given.port) },
    version: given.onedataVersion,
    tokens,
    spaces: spaces.map((space) => {
      const directory = seeds.get(space.id);
      return directory === undefined ? space : { ...space, seedFrom: resolve(directory) };
    }),
  });
}

function contentOf(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`The emulator cannot start with ${file}: ${(error as Error).message}. Expected: JSON`);
  }
}

/** Runs until SIGTERM or SIGINT; prints one JSON line, without tokens, when everything answers. */
export async function serve(given: ServeOptions): Promise<void> {
  const options = optionsOf(given);
  const emulator = await startEmulator(options).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    throw new Error(`port ${options.listen?.port} is in use: end what listens there or give another --port`);
  });
  const { context } = emulator;
  const line = {
    zone: emulator.zoneHost,
    provider: emulator.providerHost,
    version: context.configuration.version,
    authorityFile: emulator.authorityFile,
    adminSocket: emulator.adminSocket,
    spaces: context.spaces.list().map(({ id, name }) => ({ id, name })),
    tokenFiles: emulator.tokenFiles,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  let isClosing = false;
  const stop = () => {
    // npm passes on what the terminal has sent to both.
    if (isClosing) return;
    isClosing = true;
    emulator.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
