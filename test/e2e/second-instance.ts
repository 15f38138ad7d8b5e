import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { overridesFor, secretsFor } from '../../local/cli/instance.ts';
import { ROOT } from '../../local/cli/machine.ts';
import { up } from '../../local/engine/index.ts';
import { cluster, NAMESPACE, standIn } from './world.ts';

/** What somebody does who gives another stack the namespace of the first. @throws Error with what the engine says */
export async function createSecondInstance(): Promise<void> {
  const { kubeconfigPath, kubectlPath, httpsPort } = await cluster();
  const credentials = await (await standIn()).credentials();
  const stateDirectory = await mkdtemp(join(tmpdir(), 'scipion-second-'));
  try {
    const result = await up({
      directory: ROOT,
      stack: 'second',
      stackFile: false,
      config: overridesFor(credentials, {
        'scipion:publicPort': String(httpsPort),
        'scipion:namespace': NAMESPACE,
        'scipion:domain': 'localhost',
      }),
      secretConfig: secretsFor(credentials),
      stateDirectory,
      kubectl: { path: kubectlPath, kubeconfig: kubeconfigPath },
      environment: { KUBECONFIG: kubeconfigPath },
    });
    if (!result.ok) throw new Error(result.errors.join('\n'));
  } finally {
    await rm(stateDirectory, { recursive: true, force: true });
  }
}
