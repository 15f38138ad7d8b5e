import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from '../../automation/tools/progress.ts';
import { EMULATOR, emulatorManifests } from '../../emulators/onedata/manifests.ts';
import { type EmulatorCredentials, type Exec, RemoteEmulator } from '../../emulators/onedata/remote.ts';
import { SIDECAR_IMAGE_TAG } from '../../stacks/versions.ts';
import { writeSampleData } from '../images/sample-data.ts';
import { apply, kubectl, type Target } from './target.ts';

/** Changes when the sample data does; the emulator copies data of one key only once. */
const SAMPLE_DATA_KEY = 'sample-1';
const VOLUME_SIZE = '20Gi';

/** The admin API of the emulator in the cluster. */
export function emulatorOf(target: Target): RemoteEmulator {
  const exec: Exec = (argv, stdin) =>
    kubectl(
      target,
      ['exec', '--namespace', EMULATOR.namespace, `deployment/${EMULATOR.name}`, '--stdin', '--', ...argv],
      stdin ? { input: stdin } : {},
    );
  return new RemoteEmulator(exec);
}

/** Brings the Onedata emulator up with sample data in its source space; does nothing where both are there. */
export async function ensureEmulator(
  target: Target,
  imageRepository: string,
  report: Report,
): Promise<EmulatorCredentials> {
  report('starting the Onedata emulator');
  await apply(
    target,
    emulatorManifests({
      image: `${imageRepository}/onedata:${SIDECAR_IMAGE_TAG}`,
      volumeSize: VOLUME_SIZE,
    }),
  );
  const rollout = ['rollout', 'status', `deployment/${EMULATOR.name}`, '--timeout=120s'];
  await kubectl(target, [...rollout, '--namespace', EMULATOR.namespace]);
  const emulator = emulatorOf(target);
  const credentials = await emulator.credentials();
  report('copying the sample data to the source space');
  const directory = await mkdtemp(join(tmpdir(), 'scipion-sample-'));
  try {
    await writeSampleData(directory);
    await emulator.importDirectory(credentials.sourceSpaceId, directory, SAMPLE_DATA_KEY);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return credentials;
}
