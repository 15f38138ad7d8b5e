import {
  ONEDATA_SECRET_DIRECTORY,
  ONEDATA_SECRET_KEYS,
  SPACE_DIRECTORIES,
} from '../../sidecar/contract/paths.ts';
import { claimOf } from '../../stacks/grammar.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { NAMES } from '../names.ts';
import { labels, metadata } from './metadata.ts';

/**
 * How `sync` reaches each space: over REST with a token, or by a volume that shows the space, which is a claim of
 * somebody else or a pair of volume and claim for csi-onedata made here.
 */

export type Side = 'source' | 'project';
export const SIDES: readonly Side[] = ['source', 'project'];

export const CSI = 'csi-onedata';

/** Names of the pod's volumes. */
const TOKENS_VOLUME = 'onedata-tokens';
const spaceVolume = (side: Side) => `${side}-space`;

const mountOf = (config: InstanceConfig, side: Side) =>
  side === 'source' ? config.sourceMount : config.projectMount;
const ownSecret = (config: InstanceConfig, side: Side) =>
  side === 'source' ? config.sourceSecret : config.projectSecret;
export const spaceIdOf = (config: InstanceConfig, side: Side) =>
  side === 'source' ? config.sourceSpaceId : config.projectSpaceId;
export const isByCsi = (config: InstanceConfig, side: Side) => mountOf(config, side) === CSI;
const isMounted = (config: InstanceConfig, side: Side) => mountOf(config, side) !== undefined;
const csiName = (side: Side) => (side === 'source' ? NAMES.sourceSpace : NAMES.projectSpace);

/** What the configuration of `sync` says of a space. */
export function spaceConfig(config: InstanceConfig, side: Side) {
  const spaceId = spaceIdOf(config, side);
  const { onedataHost: host } = config;
  if (!isMounted(config, side)) return { ...(host === undefined ? {} : { host }), spaceId };
  const directory = SPACE_DIRECTORIES[side];
  return { directory, spaceId, ...(isByCsi(config, side) ? { fileSystem: 'fuse' as const } : {}) };
}

/** Where the token of a space over REST is. csi-onedata's own Secrets name it in their way. */
function tokenPlace(config: InstanceConfig, side: Side) {
  const file = side === 'source' ? ONEDATA_SECRET_KEYS.sourceToken : ONEDATA_SECRET_KEYS.projectToken;
  const own = ownSecret(config, side);
  if (own !== undefined) return { secret: own, key: CSI_SECRET_KEYS.token, file };
  return { secret: config.onedataSecret ?? NAMES.onedataSecret, key: file, file };
}

/** Whether the token of the stack goes into the Secret that `sync` reads. */
export const isInOwnSecret = (config: InstanceConfig, side: Side) =>
  !isMounted(config, side) && tokenPlace(config, side).secret === NAMES.onedataSecret;

function tokensVolume(config: InstanceConfig, defaultMode: number) {
  const places = SIDES.filter((side) => !isMounted(config, side)).map((side) => tokenPlace(config, side));
  const [first] = places;
  if (first === undefined) return [];
  const isPlain = places.every(({ secret, key, file }) => secret === first.secret && key === file);
  if (isPlain) return [{ name: TOKENS_VOLUME, secret: { secretName: first.secret, defaultMode } }];
  const sources = places.map(({ secret, key, file }) => ({
    secret: { name: secret, items: [{ key, path: file }] },
  }));
  return [{ name: TOKENS_VOLUME, projected: { defaultMode, sources } }];
}

/** The volumes of the pod for tokens and mounted spaces. @param defaultMode of the tokens' files */
export function onedataVolumes(config: InstanceConfig, defaultMode: number) {
  const claims = SIDES.flatMap((side) => {
    const mount = mountOf(config, side);
    if (mount === undefined) return [];
    const claimName = claimOf(mount) ?? csiName(side);
    return [{ name: spaceVolume(side), persistentVolumeClaim: { claimName } }];
  });
  return { tokens: tokensVolume(config, defaultMode), spaces: claims };
}

/** What `sync` alone mounts of these. */
export function onedataMounts(config: InstanceConfig) {
  const spaces = SIDES.filter((side) => isMounted(config, side)).map((side) => ({
    name: spaceVolume(side),
    mountPath: SPACE_DIRECTORIES[side],
    // The driver may mount it anew on the node; so the container sees that.
    mountPropagation: 'HostToContainer',
    // The source space is never written.
    ...(side === 'source' ? { readOnly: true } : {}),
  }));
  const tokens = { name: TOKENS_VOLUME, mountPath: ONEDATA_SECRET_DIRECTORY, readOnly: true };
  return [...(spaces.length < SIDES.length ? [tokens] : []), ...spaces];
}

/** @see https://github.com/CERIT-SC/csi-onedata README.md */
const CSI_SECRET_KEYS = {
  host: 'host',
  token: 'onedata_token',
  spaceId: 'space_id',
  options: 'oneclient_options',
};
const CSI_SECRET_LABEL = { 'cerit-onedata-secret': 'yes' };
const CSI_STORAGE_CLASS = 'onedata';
/** The driver looks at no size, but Kubernetes wants one. */
export const CSI_SIZE = '100Gi';

const csiVolumeName = (config: InstanceConfig, side: Side) => `${config.namespace}-${csiName(side)}`;

/** Whether the Secret of the driver is made here, from the token of the stack. */
export const hasOwnCsiSecret = (config: InstanceConfig, side: Side) =>
  isByCsi(config, side) && ownSecret(config, side) === undefined;

export function csiSecretManifest<Token>(config: InstanceConfig, side: Side, token: Token) {
  const { name, namespace, labels: common } = metadata(config, csiName(side), 'sync');
  return {
    metadata: { name, namespace, labels: { ...common, ...CSI_SECRET_LABEL } },
    type: 'Opaque',
    stringData: {
      // A rule of the configuration makes sure that it is there.
      [CSI_SECRET_KEYS.host]: config.onedataHost ?? '',
      [CSI_SECRET_KEYS.token]: token,
      [CSI_SECRET_KEYS.spaceId]: spaceIdOf(config, side),
      [CSI_SECRET_KEYS.options]: '--force-direct-io',
    },
  };
}

export function csiVolumeManifest(config: InstanceConfig, side: Side) {
  const name = csiVolumeName(config, side);
  const { namespace } = config;
  return {
    metadata: { name, labels: labels(config, `${side}-space`) },
    spec: {
      accessModes: ['ReadWriteMany'],
      capacity: { storage: CSI_SIZE },
      storageClassName: CSI_STORAGE_CLASS,
      persistentVolumeReclaimPolicy: 'Retain',
      // Nobody else's claim may take it.
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: csiName(side) },
      csi: {
        driver: CSI,
        nodePublishSecretRef: { name: ownSecret(config, side) ?? csiName(side), namespace },
        volumeHandle: name,
      },
    },
  };
}

export function csiClaimManifest(config: InstanceConfig, side: Side) {
  return {
    metadata: metadata(config, csiName(side), `${side}-space`),
    spec: {
      accessModes: ['ReadWriteMany'],
      resources: { requests: { storage: CSI_SIZE } },
      storageClassName: CSI_STORAGE_CLASS,
      volumeName: csiVolumeName(config, side),
    },
  };
}
