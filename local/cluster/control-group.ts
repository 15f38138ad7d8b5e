import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = '/sys/fs/cgroup';
const REMOVAL_ATTEMPTS = 50;

/** The folders of control group `name` in every hierarchy of this machine (one with version 2, many with version 1). */
export function controlGroupFolders(name: string): string[] {
  if (isVersion2()) return [join(ROOT, name)];
  const hierarchies = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return hierarchies.map((hierarchy) => join(ROOT, hierarchy.name, name));
}

/** Makes the group below which kubelet puts every pod, with the controllers that it expects. */
export async function createControlGroup(name: string): Promise<void> {
  for (const folder of controlGroupFolders(name)) await mkdir(folder, { recursive: true });
  if (isVersion2()) {
    await passOnControllers(ROOT);
    await passOnControllers(join(ROOT, name));
    return;
  }
  // A version 1 cpuset starts empty, and nothing may run in an empty one.
  for (const setting of ['cpuset.cpus', 'cpuset.mems']) {
    const parent = join(ROOT, 'cpuset', setting);
    if (existsSync(parent)) await writeFile(join(ROOT, 'cpuset', name, setting), readFileSync(parent));
  }
}

/** Removes the group and all below it, which must hold no process any more. */
export async function removeControlGroup(name: string): Promise<void> {
  for (const folder of controlGroupFolders(name)) {
    for (let attempt = 1; existsSync(folder); attempt += 1) {
      try {
        await removeTree(folder);
      } catch (error) {
        // Processes that have just been killed leave their group a moment later.
        if (attempt === REMOVAL_ATTEMPTS) throw error;
        await sleep(100);
      }
    }
  }
}

async function removeTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  }
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

function isVersion2(): boolean {
  return existsSync(join(ROOT, 'cgroup.controllers'));
}

async function passOnControllers(folder: string): Promise<void> {
  const available = readFileSync(join(folder, 'cgroup.controllers'), 'utf8').trim().split(/\s+/);
  for (const controller of ['cpu', 'cpuset', 'memory', 'pids', 'io', 'hugetlb']) {
    if (!available.includes(controller)) continue;
    await writeFile(join(folder, 'cgroup.subtree_control'), `+${controller}`);
  }
}
