import { claimOf } from '../stacks/grammar.ts';
import type { InstanceConfig } from '../stacks/load.ts';
import { parseSizeBytes } from '../stacks/units.ts';

/** What makes an instance this one and no other. Pure. */

export interface Identity {
  readonly namespace: string;
  /** `true` or `false`, as the configuration writes it. */
  readonly createNamespace: string;
  readonly sourceSpaceId: string;
  readonly projectSpaceId: string;
  /** Only a claim that shows the space: another claim is another space. */
  readonly sourceMount?: string;
  readonly projectMount?: string;
  /** Absent: the cluster's default. */
  readonly storageClass?: string;
  /** As written; these two may grow. */
  readonly sourceVolumeSize: string;
  readonly projectVolumeSize: string;
}

type Key = keyof Identity;

const claim = (mount: string | undefined) => (claimOf(mount) === undefined ? undefined : mount);

export function identityOf(config: InstanceConfig): Identity {
  const optional = {
    sourceMount: claim(config.sourceMount),
    projectMount: claim(config.projectMount),
    storageClass: config.storageClass,
  };
  return {
    namespace: config.namespace,
    createNamespace: String(config.createNamespace),
    sourceSpaceId: config.sourceSpaceId,
    projectSpaceId: config.projectSpaceId,
    sourceVolumeSize: config.sourceVolumeSize,
    projectVolumeSize: config.projectVolumeSize,
    // The state keeps no `undefined`, so that nothing seems to change where nothing is set.
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}

export interface IdentityChange {
  readonly key: Key;
  readonly lives: string | undefined;
  readonly asked: string | undefined;
}

const REQUIRED: readonly Key[] = ['namespace', 'createNamespace', 'sourceSpaceId', 'projectSpaceId'];
const OPTIONAL: readonly Key[] = ['sourceMount', 'projectMount', 'storageClass'];

const SIZES = ['sourceVolumeSize', 'projectVolumeSize'] as const;

/** The API server refuses it, and only in the middle of an update. */
const shrinks = (living: string | undefined, asked: string) =>
  living !== undefined && (parseSizeBytes(asked) ?? 0) < (parseSizeBytes(living) ?? 0);

/** The keys that differ, as far as they are known of the living instance. */
export function changesOf(living: Partial<Identity>, asked: Identity): IdentityChange[] {
  const known = [...REQUIRED, ...OPTIONAL].filter((key) => living[key] !== undefined);
  return compare(known, living, asked);
}

/** The same where all of it is known: an optional key that is absent was not set. */
export const changesOfAll = (living: Identity, asked: Identity): IdentityChange[] =>
  compare([...REQUIRED, ...OPTIONAL], living, asked);

function compare(keys: readonly Key[], living: Partial<Identity>, asked: Identity): IdentityChange[] {
  return [
    ...keys.filter((key) => living[key] !== asked[key]),
    ...SIZES.filter((key) => shrinks(living[key], asked[key])),
  ].map((key) => ({ key, lives: living[key], asked: asked[key] }));
}

const shown = (value: string | undefined) => (value === undefined ? 'none' : `"${value}"`);

function line({ key, lives, asked }: IdentityChange, stack: string): string {
  const isStackName = key === 'namespace' && asked === stack;
  const isSize = key === 'sourceVolumeSize' || key === 'projectVolumeSize';
  const from = isStackName
    ? `${shown(asked)}, the stack's name`
    : `${shown(asked)}${isSize ? ', and a volume can only grow' : ''}`;
  const back = `pulumi config set scipion:${key} ${lives ?? "''"} --stack ${stack}`;
  return `  scipion:${key}: the instance has ${shown(lives)}; asked for: ${from}; to set it back: ${back}`;
}

export function refusalOf(changes: readonly IdentityChange[], stack: string): string {
  return [
    `The instance of stack ${stack} exists, and what says whose work it holds cannot change under it. Nothing was changed.`,
    ...changes.map((change) => line(change, stack)),
    `Set it back, or continue with what was asked for: npm run destroy -- --stack ${stack} (saves the work to the project space it has now), then pulumi up --stack ${stack}.`,
  ].join('\n');
}
