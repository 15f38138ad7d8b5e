import { gatewayConfigSchema, syncConfigSchema } from '../../sidecar/contract/config.ts';
import { jobsConfigSchema } from '../../sidecar/contract/jobs.ts';
import { CONFIG_FILES } from '../../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { parseSizeBytes } from '../../stacks/units.ts';
import { NAMES, publicOrigin } from '../names.ts';
import { jobManifest } from './job.ts';
import { metadata } from './metadata.ts';
import { spaceConfig } from './onedata-access.ts';

/** Configuration of `sync`, `gateway` and `jobs`, checked against the schemas that they read it with. */

/** The key of a mounted ConfigMap is the name of its file. */
const fileName = (path: string) => path.slice(path.lastIndexOf('/') + 1);

const document = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

export function syncConfig(config: InstanceConfig) {
  return syncConfigSchema.parse({
    instance: `${config.namespace}/${config.stack}`,
    source: spaceConfig(config, 'source'),
    project: spaceConfig(config, 'project'),
    ...(config.sourceInclude.length === 0 ? {} : { sourceInclude: config.sourceInclude }),
    ...(config.sourceExclude.length === 0 ? {} : { sourceExclude: config.sourceExclude }),
    ...(config.downloadBandwidth === undefined
      ? {}
      : { downloadBytesPerSecond: parseSizeBytes(config.downloadBandwidth) }),
    ...(config.uploadBandwidth === undefined
      ? {}
      : { uploadBytesPerSecond: parseSizeBytes(config.uploadBandwidth) }),
    ...(config.spaceCheckDays === undefined ? {} : { verifyEveryDays: config.spaceCheckDays }),
    ...(config.spaceCheckBandwidth === undefined
      ? {}
      : { verifyBytesPerSecond: parseSizeBytes(config.spaceCheckBandwidth) }),
    priority: config.syncPriority,
    autosaveIntervalSeconds: config.autosaveInterval,
    graceSeconds: config.finalSaveGrace,
    ...(Object.values(keepSaves(config)).some((value) => value !== undefined)
      ? { keepSaves: keepSaves(config) }
      : {}),
    ...(config.jobs ? { hasJobs: true } : {}),
    ...(config.onedataCertificateAuthorities === undefined
      ? {}
      : { certificateAuthorities: config.onedataCertificateAuthorities }),
  });
}

/** What is not set is left to `sync`. */
function keepSaves(config: InstanceConfig) {
  return {
    last: config.keepLastSaves,
    hourly: config.keepHourlySaves,
    daily: config.keepDailySaves,
    weekly: config.keepWeeklySaves,
    maxBytes: config.keepSavesSize === undefined ? undefined : parseSizeBytes(config.keepSavesSize),
  };
}

export function gatewayConfig(config: InstanceConfig) {
  return gatewayConfigSchema.parse({
    instance: config.namespace,
    publicOrigin: publicOrigin(config.namespace, config.domain, config.publicPort),
    ...(config.signInIssuer === undefined ? {} : { signIn: signIn(config, config.signInIssuer) }),
    ...(config.passwordLogin ? {} : { passwordLogin: false }),
    ...(config.jobs ? { hasJobs: true } : {}),
  });
}

function signIn(config: InstanceConfig, issuer: string) {
  return {
    issuer,
    clientId: config.signInClientId,
    scopes: config.signInScopes,
    userClaim: config.signInUserClaim,
    users: config.signInUsers,
    groupClaim: config.signInGroupClaim,
    groups: config.signInGroups,
    ...(config.signInCertificateAuthorities === undefined
      ? {}
      : { certificateAuthorities: config.signInCertificateAuthorities }),
  };
}

export function jobsConfig(config: InstanceConfig) {
  return jobsConfigSchema.parse({
    namespace: config.namespace,
    pod: NAMES.pod,
    classes: config.jobClasses.map(({ memory, ...plain }) => ({
      ...plain,
      memoryMebibytes: (parseSizeBytes(memory) ?? 0) / 2 ** 20,
    })),
    template: jobManifest(config),
  });
}

export function configMapManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.configMap, 'sync'),
    data: {
      [fileName(CONFIG_FILES.sync)]: document(syncConfig(config)),
      [fileName(CONFIG_FILES.gateway)]: document(gatewayConfig(config)),
      ...(config.jobs ? { [fileName(CONFIG_FILES.jobs)]: document(jobsConfig(config)) } : {}),
    },
  };
}
