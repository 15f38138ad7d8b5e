import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { configMapManifest } from '../../components/manifests/config-map.ts';
import { initContainers, mainContainers } from '../../components/manifests/containers.ts';
import { ingressManifest } from '../../components/manifests/endpoint.ts';
import { namespaceManifest, quotaManifest } from '../../components/manifests/namespace.ts';
import { instancePolicyManifest } from '../../components/manifests/network.ts';
import { containerResources } from '../../components/manifests/resources.ts';
import { projectClaimManifest, sourceClaimManifest } from '../../components/manifests/volumes.ts';
import { disruptionBudgetManifest, statefulSetManifest } from '../../components/manifests/workload.ts';
import { gatewayConfigSchema, syncConfigSchema } from '../../sidecar/contract/config.ts';
import { cpuQuantity, parseCpuMillis, parseSizeBytes } from '../../stacks/units.ts';
import { CERTIFICATE } from '../helpers/certificate.ts';
import { instanceConfig } from '../helpers/instance-config.ts';

const podOf = (changes = {}) => statefulSetManifest(instanceConfig(changes)).spec.template.spec;
const containersOf = (changes = {}) => {
  const config = instanceConfig(changes);
  return [...initContainers(config), ...mainContainers(config)];
};

/** @see https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted */
describe('Pod Security `restricted`', () => {
  const RESTRICTED_VOLUMES = ['configMap', 'emptyDir', 'persistentVolumeClaim', 'secret'];

  test('of the namespace', () => {
    expect(namespaceManifest(instanceConfig()).metadata.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/audit': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    });
  });

  test('of the pod', () => {
    const pod = podOf();
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      shareProcessNamespace: false,
    });
    expect(pod).not.toHaveProperty('hostNetwork');
    expect(pod).not.toHaveProperty('hostUsers');
    expect(podOf({ userNamespace: 'true' })).toMatchObject({ hostUsers: false });
    const kinds = pod.volumes.map((volume) => Object.keys(volume).find((key) => key !== 'name'));
    expect(kinds.filter((kind) => !RESTRICTED_VOLUMES.includes(kind ?? ''))).toEqual([]);
  });

  test.each(containersOf().map((container) => [container.name, container] as const))(
    'of %s',
    (_name, container) => {
      expect(container.securityContext).toEqual({
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(container).not.toHaveProperty('ports[0].hostPort');
    },
  );
});

describe('who may see what', () => {
  const mounts = (name: string) =>
    containersOf()
      .find((container) => container.name === name)
      ?.volumeMounts.map((mount) => {
        const readOnly = 'readOnly' in mount && mount.readOnly ? ' (read-only)' : '';
        const subPath = 'subPath' in mount && mount.subPath ? `/${mount.subPath}` : '';
        return `${mount.name}${subPath} at ${mount.mountPath}${readOnly}`;
      });

  test('sync has the tokens and both volumes whole', () => {
    expect(mounts('sync')).toEqual([
      'source at /volumes/source',
      'project at /volumes/project',
      'config at /etc/scipion/config (read-only)',
      'onedata-tokens at /etc/scipion/onedata (read-only)',
      'run at /run/scipion',
      'sync-tmp at /tmp',
    ]);
  });

  test('gateway has no token, and the project only to read', () => {
    expect(mounts('gateway')).toEqual([
      'config at /etc/scipion/config (read-only)',
      'gateway-credentials at /etc/scipion/gateway (read-only)',
      'run at /run/scipion',
      'project/data at /mnt/vol-project (read-only)',
      'project/uploads at /volumes/uploads',
      'gateway-tmp at /tmp',
    ]);
  });

  test('the desktop has the data alone, the source read-only', () => {
    expect(mounts('desktop')).toEqual([
      'source/data at /mnt/vol-dataset (read-only)',
      'project/data at /mnt/vol-project',
      'run at /run/scipion',
      'home at /home/scipion',
      'desktop-tmp at /tmp',
    ]);
  });

  test('Secrets are mounted for their owner', () => {
    const modes = podOf().volumes.flatMap((volume) =>
      'secret' in volume ? [volume.secret?.defaultMode] : [],
    );
    expect(modes).toEqual([0o400, 0o400]);
  });
});

describe('the order of the containers', () => {
  test('sync starts first of the sidecars, so it stops last', () => {
    expect(containersOf().map(({ name }) => name)).toEqual(['prepare-volumes', 'sync', 'gateway', 'desktop']);
  });

  test('sync and gateway are native sidecars without a start-up probe', () => {
    for (const container of initContainers(instanceConfig()).slice(1)) {
      expect(container).toHaveProperty('restartPolicy', 'Always');
      expect(container).not.toHaveProperty('startupProbe');
    }
  });

  test('the pod is Ready when the gateway answers, whatever the data does', () => {
    const asked = containersOf().flatMap((container) => {
      const { readinessProbe } = container as { readinessProbe?: { httpGet: { path: string } } };
      return readinessProbe ? [`${container.name} ${readinessProbe.httpGet.path}`] : [];
    });
    // `/problems` of sync never fails: a redirect counts as success and leaves its text among the pod's events.
    expect(asked).toEqual(['sync /problems', 'gateway /readyz']);
  });
});

describe('resources', () => {
  const sum = (config: Parameters<typeof containerResources>[0], kind: 'requests' | 'limits') =>
    Object.values(containerResources(config)).reduce(
      (total, one) => total + (parseCpuMillis(one[kind].cpu) ?? 0),
      0,
    );

  const shapes = fc
    .record({
      cpuGuaranteed: fc.integer({ min: 200, max: 10_000 }),
      cpuLimit: fc.integer({ min: 500, max: 14_000 }),
    })
    .filter(({ cpuGuaranteed, cpuLimit }) => cpuGuaranteed <= cpuLimit);

  test('of the containers sum up to what the stack asks for', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const config = { ...shape, memory: '8Gi', scratchSize: '20Gi' };
        expect(sum(config, 'requests')).toBe(shape.cpuGuaranteed);
        expect(sum(config, 'limits')).toBe(shape.cpuLimit);
      }),
    );
  });

  test('leave most to the desktop, and give no container a limit below its guarantee', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const resources = containerResources({ ...shape, memory: '2Gi', scratchSize: '1Gi' });
        for (const { requests, limits } of Object.values(resources)) {
          expect(parseCpuMillis(limits.cpu)).toBeGreaterThanOrEqual(
            parseCpuMillis(requests.cpu) ?? Number.NaN,
          );
        }
        expect(parseCpuMillis(resources.desktop.requests.cpu)).toBeGreaterThanOrEqual(
          shape.cpuGuaranteed / 2,
        );
        expect(parseSizeBytes(resources.desktop.limits.memory)).toBeGreaterThan(2 ** 30);
      }),
    );
  });

  test('the largest instance fits in the usual quota', () => {
    const config = instanceConfig({ cpuGuaranteed: '10', cpuLimit: '14' });
    const { hard } = quotaManifest(config).spec;
    expect(hard).toEqual({
      'requests.cpu': '12',
      'limits.cpu': '16',
      'requests.memory': '10Gi',
      'limits.memory': '10Gi',
      'requests.storage': '150Gi',
      persistentvolumeclaims: '2',
      'count/statefulsets.apps': '1',
    });
    expect(cpuQuantity(sum(config, 'limits'))).toBe('14');
  });
});

describe('documents of the sidecar', () => {
  test('are what its schemas read', () => {
    const { data } = configMapManifest(instanceConfig({ publicPort: '8443', autosaveInterval: '1 minute' }));
    expect(Object.keys(data)).toEqual(['sync.json', 'gateway.json']);
    expect(syncConfigSchema.parse(JSON.parse(data['sync.json'] ?? ''))).toEqual({
      instance: 'jane/jane',
      source: { host: 'provider.example.org', spaceId: 'source-space' },
      project: { host: 'provider.example.org', spaceId: 'project-space' },
      autosaveIntervalSeconds: 60,
      graceSeconds: 3600,
      priority: 'low',
    });
    expect(gatewayConfigSchema.parse(JSON.parse(data['gateway.json'] ?? ''))).toEqual({
      instance: 'jane',
      publicOrigin: 'https://scipion.jane.example.org:8443',
    });
  });

  test('have limits of bandwidth in bytes, and the priority', () => {
    const changes = {
      ...{ downloadBandwidth: '50Mi', uploadBandwidth: '20M', syncPriority: 'normal' },
      ...{ spaceCheckDays: '30', spaceCheckBandwidth: '1Mi' },
    };
    const { data } = configMapManifest(instanceConfig(changes));
    expect(syncConfigSchema.parse(JSON.parse(data['sync.json'] ?? ''))).toMatchObject({
      downloadBytesPerSecond: 50 * 2 ** 20,
      uploadBytesPerSecond: 20_000_000,
      verifyEveryDays: 30,
      verifyBytesPerSecond: 2 ** 20,
      priority: 'normal',
    });
  });

  test('say which saves are kept, where the stack says it', () => {
    const { data } = configMapManifest(instanceConfig({ keepWeeklySaves: '8', keepSavesSize: '500Gi' }));
    expect(syncConfigSchema.parse(JSON.parse(data['sync.json'] ?? '')).keepSaves).toEqual({
      weekly: 8,
      maxBytes: 500 * 2 ** 30,
    });
  });

  test('name no host where the stack names none', () => {
    const config = instanceConfig({ onedataHost: undefined });
    const { data } = configMapManifest(config);
    expect(syncConfigSchema.parse(JSON.parse(data['sync.json'] ?? ''))).toMatchObject({
      source: { spaceId: 'source-space' },
      project: { spaceId: 'project-space' },
    });
    expect(data['sync.json']).not.toContain('"host"');
    const { egress } = instancePolicyManifest(config).spec;
    expect(egress[1]?.ports?.map(({ port }) => port)).toEqual([443]);
  });

  test('carry authorities of a Onedata host that is not publicly known', () => {
    const { data } = configMapManifest(instanceConfig({ onedataCertificateAuthorities: CERTIFICATE }));
    expect(JSON.parse(data['sync.json'] ?? '')).toMatchObject({ certificateAuthorities: CERTIFICATE });
  });
});

describe('choices of a stack', () => {
  test('the version names the image, a full reference goes before it', () => {
    const imagesOf = (changes: object) => [...new Set(containersOf(changes).map(({ image }) => image))];
    expect(imagesOf({ version: '3.7.1' })).toEqual([
      'registry.example.org/scipion/sidecar:0.1.0',
      'registry.example.org/scipion/desktop:3.7.1',
    ]);
    expect(
      imagesOf({ desktopImage: `a.example/d@sha256:${'1'.repeat(64)}`, sidecarImage: 'a.example/s:2' }),
    ).toEqual(['a.example/s:2', `a.example/d@sha256:${'1'.repeat(64)}`]);
  });

  test('a paused instance has no pod', () => {
    expect(statefulSetManifest(instanceConfig({ paused: 'true' })).spec.replicas).toBe(0);
    expect(statefulSetManifest(instanceConfig()).spec).toMatchObject({
      replicas: 1,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
    });
  });

  test('an existing Secret is mounted in place of ours', () => {
    const changes = {
      sourceToken: undefined,
      projectToken: undefined,
      onedataSecret: 'mine',
      createNamespace: 'false',
    };
    const names = podOf(changes).volumes.flatMap((volume) =>
      'secret' in volume ? [volume.secret?.secretName] : [],
    );
    expect(names).toEqual(['mine', 'scipion-gateway']);
  });

  test('the storage class is named only where the stack does', () => {
    expect(projectClaimManifest(instanceConfig()).spec).not.toHaveProperty('storageClassName');
    expect(projectClaimManifest(instanceConfig({ storageClass: 'fast' })).spec).toMatchObject({
      storageClassName: 'fast',
    });
  });

  test('the Ingress is at the address of the namespace, with TLS', () => {
    const { metadata, spec } = ingressManifest(
      instanceConfig({ tlsIssuer: 'ca', ingressAnnotations: '{"a/b":"c"}' }),
    );
    expect(metadata.annotations).toEqual({
      'a/b': 'c',
      'cert-manager.io/cluster-issuer': 'ca',
      'pulumi.com/skipAwait': 'true',
    });
    expect(spec.tls).toEqual([{ hosts: ['scipion.jane.example.org'], secretName: 'scipion-tls' }]);
    expect(spec.rules[0]?.host).toBe('scipion.jane.example.org');
    expect(ingressManifest(instanceConfig({ waitForIngress: 'true' })).metadata).not.toHaveProperty(
      'annotations',
    );
  });

  test('what a container may write to its node is bounded, and none of it is asked for', () => {
    const pod = podOf({ scratchSize: '5Gi' });
    const bounds = pod.volumes.flatMap((one) => ('emptyDir' in one ? [[one.name, one.emptyDir]] : []));
    expect(Object.fromEntries(bounds)).toEqual({
      run: { sizeLimit: '64Mi' },
      home: { sizeLimit: '5Gi' },
      'desktop-tmp': { sizeLimit: '5Gi' },
      'sync-tmp': { sizeLimit: '1Gi' },
      'gateway-tmp': { sizeLimit: '256Mi' },
    });
    for (const { resources } of containersOf()) {
      expect(resources.requests['ephemeral-storage']).toBe('0');
      expect(parseSizeBytes(resources.limits['ephemeral-storage'])).toBeGreaterThan(2 ** 28);
    }
  });

  test('a session that stands still is ended, and only after ten minutes', () => {
    const [desktop] = mainContainers(instanceConfig());
    expect(desktop?.livenessProbe.exec.command).toEqual(['/usr/local/bin/desktop-alive']);
    expect((desktop?.livenessProbe.periodSeconds ?? 0) * (desktop?.livenessProbe.failureThreshold ?? 0)).toBe(
      600,
    );
  });

  test('a site places the pod and adds to the desktop', () => {
    const pod = podOf({
      nodeSelector: '{"a/b":"c"}',
      tolerations: '[{"key":"gpu","operator":"Exists"}]',
      affinity: '{"nodeAffinity":{}}',
      priorityClass: 'high',
      runtimeClass: 'nvidia',
      extraResources: '{"nvidia.com/gpu":"1"}',
      desktopEnvironment: '{"OMP_NUM_THREADS":"4"}',
      httpProxy: 'http://proxy.example.org:3128',
      extraVolumes: '[{"name":"refs","mountPath":"/mnt/refs","claim":"refs"}]',
    });
    expect(pod).toMatchObject({
      nodeSelector: { 'a/b': 'c' },
      tolerations: [{ key: 'gpu', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      priorityClassName: 'high',
      runtimeClassName: 'nvidia',
    });
    const [desktop] = pod.containers;
    expect(desktop?.resources.limits).toMatchObject({ 'nvidia.com/gpu': '1' });
    expect(desktop?.resources.requests).toMatchObject({ 'nvidia.com/gpu': '1' });
    expect(desktop?.env?.map(({ name }) => name).toSorted()).toEqual([
      'HTTPS_PROXY',
      'HTTP_PROXY',
      'NO_PROXY',
      'OMP_NUM_THREADS',
      'http_proxy',
      'https_proxy',
      'no_proxy',
    ]);
    expect(desktop?.volumeMounts).toContainEqual({
      name: 'extra-refs',
      mountPath: '/mnt/refs',
      readOnly: true,
    });
    expect(pod.volumes).toContainEqual({
      name: 'extra-refs',
      persistentVolumeClaim: { claimName: 'refs', readOnly: true },
    });
    expect(pod.initContainers.filter(({ resources }) => 'nvidia.com/gpu' in resources.limits)).toEqual([]);
  });
});

test('an eviction is refused, of the pod of this instance and of no other', () => {
  const config = instanceConfig();
  const { spec } = disruptionBudgetManifest(config);
  expect(spec).toEqual({ maxUnavailable: 0, selector: statefulSetManifest(config).spec.selector });
});

test('both volumes are for one node, or for one pod where the site says so', () => {
  const modes = (changes = {}) =>
    [sourceClaimManifest, projectClaimManifest].map(
      (manifest) => manifest(instanceConfig(changes)).spec.accessModes,
    );
  expect(modes()).toEqual([['ReadWriteOnce'], ['ReadWriteOnce']]);
  expect(modes({ volumeAccess: 'ReadWriteOncePod' })).toEqual([['ReadWriteOncePod'], ['ReadWriteOncePod']]);
});
