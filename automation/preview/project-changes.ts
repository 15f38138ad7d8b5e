import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { changedPaths } from '../meaning/changes.ts';
import type { Meaning } from '../meaning/meaning.ts';
import { loadWithoutSecrets } from '../recording/config.ts';

/** What changes beside the resources: where states are kept, which cluster it is, how the providers work. No recording shows it. */

/** Words for people. */
const SAY_NOTHING = ['description', 'author', 'website', 'license', 'tags', 'config'];
/** Without them no instance is found, and each would be made again. */
const WHERE_STATES_ARE = ['name', 'backend'];

export async function projectChanges(stack: string, base: string, head: string): Promise<Meaning[]> {
  const [old, asked] = [await projectOf(base), await projectOf(head)];
  const keys = changedKeys(old, asked).filter((key) => !SAY_NOTHING.includes(key));
  const settings = await Promise.all([base, head].map((directory) => settingsOf(directory, stack)));
  const moved = keys.filter((key) => WHERE_STATES_ARE.includes(key));
  const other = [
    ...keys.filter((key) => !moved.includes(key)).map((key) => `${key} of Pulumi.yaml`),
    ...changedKeys(settings[0], settings[1]),
  ];
  const elsewhere = (key: string) =>
    `changes ${key} of Pulumi.yaml: the states of the stacks are looked for elsewhere, where no instance is known`;
  const texts = [
    ...moved.map(elsewhere),
    ...(other.length > 0 ? [`changes ${other.join(', ')}; what that means is not known: look`] : []),
  ];
  return texts.map((text) => ({ change: 'unknown', text }));
}

type Keys = Readonly<Record<string, unknown>>;

function changedKeys(before: Keys = {}, after: Keys = {}): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.filter((key) => changedPaths(before[key], after[key]).length > 0);
}

const projectOf = async (directory: string) =>
  ((await parse(await readFile(join(directory, 'Pulumi.yaml'), 'utf8'))) ?? {}) as Keys;

/** Settings that the program does not read: those of providers. */
async function settingsOf(directory: string, stack: string): Promise<Keys> {
  const [{ config, secretKeys }, { name }] = [
    await loadWithoutSecrets(directory, stack),
    await projectOf(directory),
  ];
  const others = Object.entries({
    ...config,
    ...Object.fromEntries(secretKeys.map((key) => [key, 'secret'])),
  });
  return Object.fromEntries(others.filter(([key]) => !key.startsWith(`${name}:`)));
}
