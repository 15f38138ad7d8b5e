import { describe, expect, test } from 'vitest';
import { Secret } from '../../automation/recording/values.ts';
import { syncConfig } from '../../components/manifests/config-map.ts';
import { statefulSetManifest } from '../../components/manifests/workload.ts';
import { instanceConfig } from '../helpers/instance-config.ts';
import {
  CANARIES,
  inputAt,
  kubernetesObjects,
  placesOf,
  resourceOf,
  runInstance,
} from '../helpers/program.ts';

/** Where tokens come from, and spaces that volumes show. */

const NO_TOKENS = { sourceToken: undefined, projectToken: undefined, createNamespace: 'false' };

const given = (changes: Record<string, string | undefined>) => {
  const config = instanceConfig(changes);
  const { spec } = statefulSetManifest(config).spec.template;
  const containers = [...spec.initContainers, ...spec.containers];
  const holders = (volume: string) =>
    containers
      .filter(({ volumeMounts }) => volumeMounts.some(({ name }) => name === volume))
      .map(({ name }) => name);
  const mountsOf = (name: string) => containers.find((one) => one.name === name)?.volumeMounts ?? [];
  const volume = (name: string) => spec.volumes.find((one) => one.name === name);
  return { sync: syncConfig(config), holders, mountsOf, volume };
};

describe('tokens in Secrets of csi-onedata', () => {
  test('are mounted under the names that sync reads', () => {
    const { volume, holders } = given({ ...NO_TOKENS, sourceSecret: 'raw', projectSecret: 'work' });
    expect(volume('onedata-tokens')).toEqual({
      name: 'onedata-tokens',
      projected: {
        defaultMode: 0o400,
        sources: [
          { secret: { name: 'raw', items: [{ key: 'onedata_token', path: 'source-token' }] } },
          { secret: { name: 'work', items: [{ key: 'onedata_token', path: 'project-token' }] } },
        ],
      },
    });
    expect(holders('onedata-tokens')).toEqual(['sync']);
  });

  test('go together with a token of the stack', () => {
    const changes = { sourceToken: undefined, createNamespace: 'false', sourceSecret: 'raw' };
    expect(given(changes).volume('onedata-tokens')).toMatchObject({
      projected: { sources: [{ secret: { name: 'raw' } }, { secret: { name: 'scipion-onedata' } }] },
    });
  });
});

describe('spaces that volumes show', () => {
  const claims = { ...NO_TOKENS, sourceMount: 'claim/raw', projectMount: 'claim/work' };

  test('are directories for sync, which has no token then', () => {
    const { sync, volume, mountsOf } = given(claims);
    expect(sync.source).toEqual({ directory: '/spaces/source', spaceId: 'source-space' });
    expect(sync.project).toEqual({ directory: '/spaces/project', spaceId: 'project-space' });
    expect(volume('onedata-tokens')).toBeUndefined();
    expect(volume('source-space')).toMatchObject({ persistentVolumeClaim: { claimName: 'raw' } });
    const mounts = mountsOf('sync').filter(({ name }) => name.endsWith('-space'));
    expect(mounts).toEqual([
      {
        name: 'source-space',
        mountPath: '/spaces/source',
        mountPropagation: 'HostToContainer',
        readOnly: true,
      },
      { name: 'project-space', mountPath: '/spaces/project', mountPropagation: 'HostToContainer' },
    ]);
  });

  test('are seen by sync alone', () => {
    const { holders } = given(claims);
    expect([holders('source-space'), holders('project-space')]).toEqual([['sync'], ['sync']]);
  });

  test('one may be mounted and the other be reached over REST', () => {
    const { sync, volume } = given({ sourceMount: 'csi-onedata' });
    expect(sync.source).toMatchObject({ directory: '/spaces/source', fileSystem: 'fuse' });
    expect(sync.project).toMatchObject({ host: 'provider.example.org' });
    expect(volume('onedata-tokens')).toBeDefined();
    expect(volume('source-space')).toMatchObject({
      persistentVolumeClaim: { claimName: 'scipion-source-space' },
    });
  });
});

describe('csi-onedata', () => {
  const run = runInstance({ config: { sourceMount: 'csi-onedata', projectMount: 'csi-onedata' } });
  const find = async (kind: string) =>
    resourceOf((await run).registrations, kind, 'scipion-space-source').inputs;

  test('gets its Secret as it wants it, the token marked as secret', async () => {
    const secret = await find('core/v1:Secret');
    expect(inputAt(secret, 'metadata', 'labels', 'cerit-onedata-secret')).toBe('yes');
    expect(inputAt(secret, 'metadata', 'name')).toBe('scipion-source-space');
    const data = inputAt(secret, 'stringData');
    expect(JSON.parse(JSON.stringify(data instanceof Secret ? data.value : data))).toMatchObject({
      host: 'provider.example.org',
      space_id: 'source-space',
      oneclient_options: '--force-direct-io',
    });
    const places = placesOf(CANARIES.sourceToken, secret);
    expect(places).toEqual([expect.stringMatching(/^stringData.*onedata_token.*\(secret\)$/)]);
  });

  test('gets a volume for this claim alone, with that Secret', async () => {
    const volume = await find('core/v1:PersistentVolume');
    expect(inputAt(volume, 'spec', 'csi')).toEqual({
      driver: 'csi-onedata',
      nodePublishSecretRef: { name: 'scipion-source-space', namespace: 'jane' },
      volumeHandle: 'jane-scipion-source-space',
    });
    expect(inputAt(volume, 'spec', 'claimRef')).toMatchObject({
      name: 'scipion-source-space',
      namespace: 'jane',
    });
    const claim = await find('core/v1:PersistentVolumeClaim');
    expect(inputAt(claim, 'spec', 'volumeName')).toBe(inputAt(volume, 'metadata', 'name') ?? 'none');
  });

  test('needs no Secret of sync, and the StatefulSet waits for everything', async () => {
    const { registrations, errors } = await run;
    expect(errors).toEqual([]);
    const names = kubernetesObjects(registrations).map(({ inputs }) => inputAt(inputs, 'metadata', 'name'));
    expect(names).not.toContain('scipion-onedata');
    const workload = resourceOf(registrations, 'apps/v1:StatefulSet');
    const made = registrations.filter(({ name, custom }) => custom && name.startsWith('scipion-space-'));
    expect(made).toHaveLength(6);
    expect(made.filter(({ urn }) => !workload.options.dependencies.includes(urn))).toEqual([]);
  });
});
