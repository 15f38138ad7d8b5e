import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureEngine, openStack } from '../../automation/engine/index.ts';
import { CLI, overridesFor, secretsFor } from '../../local/cli/instance.ts';
import { ROOT } from '../../local/cli/machine.ts';
import { cluster, emulator, NAMESPACE } from './world.ts';

/** What somebody does who gives another stack the namespace of the first. @throws Error with what the engine says */
export async function createSecondInstance(): Promise<void> {
  const { kubeconfigPath, httpsPort } = await cluster();
  const credentials = await (await emulator()).credentials();
  const stateDirectory = await mkdtemp(join(tmpdir(), 'scipion-second-'));
  try {
    const stack = openStack(await ensureEngine(() => {}), {
      program: ROOT,
      stack: 'second',
      stateDirectory,
      config: overridesFor(credentials, {
        'scipion:publicPort': String(httpsPort),
        'scipion:namespace': NAMESPACE,
        'scipion:domain': 'localhost',
      }),
      secrets: secretsFor(credentials),
      environment: { KUBECONFIG: kubeconfigPath },
      cli: CLI,
    });
    await stack.up(() => {});
  } finally {
    await rm(stateDirectory, { recursive: true, force: true });
  }
}
