import * as pulumi from '@pulumi/pulumi';
import * as z from 'zod';
import { CONFIG_FILES } from '../sidecar/contract/paths.ts';
import type { Identity } from './identity-changes.ts';
import { NAMES } from './names.ts';

/** What the stack's own state knows of its instance, as the engine tells it: no cluster is asked. */

export interface StateResource {
  readonly type: string;
  readonly outputs: unknown;
}

const stateSchema = z.object({
  outputs: z.record(z.string(), z.object({ type: z.string(), outputs: z.unknown() })),
});

/** The resources that the last runs left in the state; `undefined` where the engine does not tell. */
export async function readState(): Promise<readonly StateResource[] | undefined> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join('/');
  try {
    const answer = await pulumi.runtime.invoke('pulumi:pulumi:readStackResourceOutputs', { stackName });
    return Object.values(stateSchema.parse(answer).outputs);
  } catch {
    return undefined;
  }
}

/** Whether anything of an instance is in the state, and be it a rest. */
export const knowsInstance = (state: readonly StateResource[]): boolean =>
  state.some(({ type }) => type.startsWith('kubernetes:') || type === 'pulumi:index:Stash');

const objectSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  spec: z
    .object({
      storageClassName: z.string().optional(),
      resources: z.object({ requests: z.object({ storage: z.string() }).optional() }).optional(),
    })
    .optional(),
  data: z.record(z.string(), z.unknown()).optional(),
});
const spaceSchema = z.object({ spaceId: z.string() });
const syncSchema = z.object({ source: spaceSchema, project: spaceSchema });

/** What is known of the living instance; `undefined`: there is none. It lives as long as it may hold work. */
export function livingIdentity(state: readonly StateResource[]): Partial<Identity> | undefined {
  const find = (kind: string, name: string) =>
    state
      .filter(({ type }) => type === `kubernetes:${kind}`)
      .map(({ outputs }) => objectSchema.safeParse(outputs).data)
      .find((object) => object?.metadata.name === name);
  const claim = find('core/v1:PersistentVolumeClaim', NAMES.projectVolume);
  const holder = find('apps/v1:StatefulSet', NAMES.statefulSet) ?? claim;
  if (holder === undefined) return undefined;
  const { namespace } = holder.metadata;
  const isCreated = state.some(({ type }) => type === 'kubernetes:core/v1:Namespace');
  const spaces = spacesOf(find('core/v1:ConfigMap', NAMES.configMap)?.data);
  const storageClass = claim?.spec?.storageClassName;
  const source = find('core/v1:PersistentVolumeClaim', NAMES.sourceVolume);
  const sizeOf = (object: typeof claim) => object?.spec?.resources?.requests?.storage;
  const known = { storageClass, sourceVolumeSize: sizeOf(source), projectVolumeSize: sizeOf(claim) };
  return {
    namespace,
    createNamespace: String(isCreated),
    ...spaces,
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)),
  };
}

function spacesOf(data: Readonly<Record<string, unknown>> | undefined): Partial<Identity> {
  const text = data?.[CONFIG_FILES.sync.slice(CONFIG_FILES.sync.lastIndexOf('/') + 1)];
  try {
    const { source, project } = syncSchema.parse(JSON.parse(String(text)));
    return { sourceSpaceId: source.spaceId, projectSpaceId: project.spaceId };
  } catch {
    return {};
  }
}
