import { fileURLToPath } from 'node:url';
import { type Registration, type RunOptions, runProgram } from '../../automation/recording/index.ts';
import { isProperties, type Properties, Secret, type Value } from '../../automation/recording/values.ts';

/** Runs the whole program through the recording engine, without any cluster. */

export const CANARIES = {
  sourceToken: 'canary-source-token-0123456789',
  projectToken: 'canary-project-token-0123456789',
} as const;

/** What every user's stack says. */
const USER = {
  onedataHost: 'provider.example.org',
  sourceSpaceId: 'source-space',
  projectSpaceId: 'project-space',
} as const;

/** A stack `jane` that is right beside the defaults of Pulumi.yaml, with what a test changes. */
export function runInstance(changes: Partial<RunOptions> = {}) {
  return runProgram({
    directory: fileURLToPath(new URL('../../', import.meta.url)),
    stack: 'jane',
    stackFile: false,
    ...changes,
    config: { ...USER, ...changes.config },
    secretConfig: { ...CANARIES, ...changes.secretConfig },
  });
}

/** Where a text occurs in a value: paths such as `stringData.source-token`, with ` (secret)` where it is marked. */
export function placesOf(text: string, value: Value | undefined, path = '', isSecret = false): string[] {
  if (value instanceof Secret) return placesOf(text, value.value, path, true);
  if (typeof value === 'string') return value.includes(text) ? [`${path}${isSecret ? ' (secret)' : ''}`] : [];
  const entries = Array.isArray(value)
    ? [...value.entries()]
    : isProperties(value)
      ? Object.entries(value)
      : [];
  return entries.flatMap(([key, part]) =>
    placesOf(text, part, path === '' ? `${key}` : `${path}.${key}`, isSecret),
  );
}

/** The one resource of a kind, e.g. `apps/v1:StatefulSet`, with its logical name where there are several. */
export function resourceOf(
  registrations: readonly Registration[],
  kind: string,
  name?: string,
): Registration {
  const found = registrations.filter(
    (one) => one.type.endsWith(kind) && (name === undefined || one.name === name),
  );
  const [resource] = found;
  if (!resource || found.length > 1)
    throw new Error(`${found.length} resources of kind ${kind}, expected one`);
  return resource;
}

export const kubernetesObjects = (registrations: readonly Registration[]) =>
  registrations.filter(({ type }) => type.startsWith('kubernetes:'));

/** What a path of keys leads to in the inputs of a resource; secrets on the way are opened. */
export function inputAt(inputs: Properties, ...path: string[]): Value | undefined {
  return path.reduce<Value | undefined>((value, key) => {
    const open = value instanceof Secret ? value.value : value;
    return isProperties(open) ? open[key] : undefined;
  }, inputs);
}
