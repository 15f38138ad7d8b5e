import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SIDECAR_IMAGE_TAG } from '../../stacks/versions.ts';
import { writeSampleData } from '../images/sample-data.ts';
import { STAND_IN, standInManifests } from '../onedata/manifests.ts';
import { type Exec, RemoteStandIn, type StandInCredentials } from '../onedata/remote.ts';
import type { Report } from '../progress.ts';
import { apply, kubectl, type Target } from './target.ts';

/** Changes when the sample data does; the stand-in copies data of one key only once. */
const SAMPLE_DATA_KEY = 'sample-1';
const VOLUME_SIZE = '20Gi';

/** The admin API of the stand-in in the cluster. */
export function standInOf(target: Target): RemoteStandIn {
  const exec: Exec = (argv, stdin) =>
    kubectl(
      target,
      ['exec', '--namespace', STAND_IN.namespace, `deployment/${STAND_IN.name}`, '--stdin', '--', ...argv],
      stdin ? { input: stdin } : {},
    );
  return new RemoteStandIn(exec);
}

/** Brings the Onedata stand-in up with sample data in its source space; does nothing where both are there. */
export async function ensureStandIn(
  target: Target,
  imageRepository: string,
  report: Report,
): Promise<StandInCredentials> {
  report('starting the Onedata stand-in');
  await apply(
    target,
    standInManifests({
      image: `${imageRepository}/onedata:${SIDECAR_IMAGE_TAG}`,
      volumeSize: VOLUME_SIZE,
    }),
  );
  const rollout = ['rollout', 'status', `deployment/${STAND_IN.name}`, '--timeout=120s'];
  await kubectl(target, [...rollout, '--namespace', STAND_IN.namespace]);
  const standIn = standInOf(target);
  const credentials = await standIn.credentials();
  report('copying the sample data to the source space');
  const directory = await mkdtemp(join(tmpdir(), 'scipion-sample-'));
  try {
    await writeSampleData(directory);
    await standIn.importDirectory(credentials.sourceSpaceId, directory, SAMPLE_DATA_KEY);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return credentials;
}
