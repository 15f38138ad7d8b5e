import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { STATE } from '../../local/cli/machine.ts';
import { emulator, kube, local, POD } from './world.ts';

const CONTAINERS = ['prepare-volumes', 'sync', 'gateway', 'desktop'] as const;

/**
 * Where a secret of the instance is readable and must not be, as `secret in place`; empty when all is well.
 * @param known the desktop's password, where the stack does not know it
 */
export async function leaks(known?: string): Promise<string[]> {
  const { sourceToken, projectToken } = await (await emulator()).credentials();
  const password = known ?? (await local(['password'])).output.trim();
  const secrets = { sourceToken, projectToken, password };
  const found: string[] = [];
  for (const [place, text] of await readablePlaces()) {
    for (const [name, secret] of Object.entries(secrets)) {
      const forms = [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)];
      if (forms.some((form) => text.includes(form))) found.push(`${name} in ${place}`);
    }
  }
  return found;
}

async function readablePlaces(): Promise<[string, string][]> {
  const places: [string, string][] = [
    ['the pod object', await kube(['get', 'pod', POD, '--output', 'json'])],
    ['ConfigMaps', await kube(['get', 'configmaps', '--output', 'json'])],
    ['events', await kube(['get', 'events', '--output', 'json'])],
  ];
  for (const container of CONTAINERS) {
    places.push([`the log of ${container}`, await kube(['logs', POD, '--container', container])]);
    if (container === 'prepare-volumes') continue; // ended: it has no processes to look into
    const readProcesses = 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"';
    const text = await kube(['exec', POD, '--container', container, '--', 'sh', '-c', readProcesses]);
    places.push([`arguments and environment in ${container}`, text]);
  }
  for (const path of await readdir(join(STATE, 'stacks'), { recursive: true, withFileTypes: true })) {
    if (!path.isFile()) continue;
    const file = join(path.parentPath, path.name);
    places.push([`the stack's state (${path.name})`, await readFile(file, 'latin1')]);
  }
  return places;
}

/** TCP ports that something in the pod listens on. */
export async function listeningPorts(): Promise<number[]> {
  const tables = await kube([
    ...['exec', POD, '--container', 'sync', '--'],
    ...['cat', '/proc/net/tcp', '/proc/net/tcp6'],
  ]);
  const LISTEN = '0A';
  const ports = tables
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === LISTEN)
    .map((columns) => Number.parseInt(columns[1]?.split(':').at(-1) ?? '', 16));
  return [...new Set(ports)].sort((a, b) => a - b);
}
