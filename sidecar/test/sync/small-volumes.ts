import { spawnSync } from 'node:child_process';
import type { Folders } from './world.ts';

/** Volumes that are small file systems of their own, in memory. */
export class SmallVolumes {
  /** Whether this user may mount one. */
  readonly canMount: boolean;
  readonly #mounted: string[] = [];

  constructor(folders: Folders) {
    this.canMount = this.mount(folders.make(), 1 << 20);
    this.unmountAll();
    folders.clear();
  }

  /**
   * @param inodes files and folders that it takes
   * @returns false where this user may not mount one
   */
  mount(folder: string, bytes: number, inodes?: number): boolean {
    const limits = `size=${bytes}${inodes === undefined ? '' : `,nr_inodes=${inodes}`}`;
    const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `${limits},mode=0775`, 'tmpfs', folder]);
    if (made.status === 0) this.#mounted.push(folder);
    return made.status === 0;
  }

  unmountAll(): void {
    for (const folder of this.#mounted.splice(0)) spawnSync('umount', ['-l', folder]);
  }
}
