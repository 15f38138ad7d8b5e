import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Where the image has the bundle; the manifests and every `exec` name it. */
export const EMULATOR_PROGRAM = '/opt/onedata/server.cjs';

/** Writes the emulator as one file that needs nothing but Node 24. */
export async function bundleEmulator(outputFile: string): Promise<void> {
  await build({
    entryPoints: [join(dirname(fileURLToPath(import.meta.url)), 'server.ts')],
    outfile: outputFile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    // CommonJS, because packages in the bundle call `require`.
    format: 'cjs',
    logLevel: 'warning',
  });
}
