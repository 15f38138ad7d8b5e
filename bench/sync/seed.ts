import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { systemClock } from '../../sidecar/src/clock.ts';
import { joinPath, type Space } from '../../sidecar/src/spaces/space.ts';
import { type BaseEntry, type LocalEntry, toManifest } from '../../sidecar/src/sync/model.ts';
import { openVolume } from '../../sidecar/src/sync/volume/volume.ts';

/**
 * Brings the state of a project volume to where a save of all its files would have left it. Volume and space hold the
 * same tree already. It spares the copying of a million files, which is not what is measured afterwards.
 */
export async function seedProject(root: string, space: Space): Promise<{ files: number }> {
  const { state, tree } = await openVolume(root, 'project', space, systemClock.now());
  let files = 0;
  const stack = [''];
  for (let directory = stack.pop(); directory !== undefined; directory = stack.pop()) {
    const parent = directory;
    const children = tree.children(parent) ?? new Map<string, LocalEntry>();
    const remote = new Map<string, { id: string; size: number; mtimeSeconds: number | null }>();
    for await (const { name, id, size, mtimeSeconds } of space.list({ path: parent })) {
      remote.set(name, { id, size, mtimeSeconds });
    }
    state.transaction(() => {
      for (const [name, local] of children) {
        const path = joinPath(parent, name);
        if (local.kind === 'directory') stack.push(path);
        else files += 1;
        const { kind, size, mtimeNs, ctimeNs, mode, inode, target } = local;
        const hash =
          kind === 'file'
            ? createHash('sha256')
                .update(readFileSync(tree.at(path)))
                .digest('hex')
            : null;
        const base: BaseEntry = {
          path,
          kind,
          size,
          mtimeNs,
          ctimeNs,
          mode,
          inode,
          target,
          hash,
          linkGroup: null,
          remote: remote.get(name) ?? null,
          racy: false,
        };
        state.base.put(base);
        state.manifest.put(toManifest(base));
      }
    });
  }
  state.setMeta('space', space.identity);
  state.close();
  return { files };
}
