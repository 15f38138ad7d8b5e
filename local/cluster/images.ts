import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { execa } from 'execa';
import * as z from 'zod';
import type { Report } from '../../automation/tools/progress.ts';
import type { ProcessIdentity } from './process.ts';
import { ctr } from './sandbox.ts';

/** See `Cluster.importImage`. */
export async function importImage(
  supervisor: ProcessIdentity,
  archivePath: string,
  report: Report,
): Promise<void> {
  const wanted = imagesInIndex(await readIndex(archivePath));
  const present = await listImages(supervisor);
  if (wanted.size > 0 && [...wanted].every(([name, digest]) => present.get(name) === digest)) {
    report(`${[...wanted.keys()].join(', ')} is there already`);
    return;
  }
  report(`importing ${basename(archivePath)}`);
  // Through a pipe: the archive's folder may not be visible in the cluster's mount namespace.
  const result = await ctr(supervisor, ['images', 'import', '-'], {
    input: createReadStream(archivePath),
    reject: false,
    all: true,
  });
  if (result.exitCode !== 0) {
    const said = String(result.all).trim().split('\n').slice(-5).join('\n');
    throw new Error(
      `The image archive ${archivePath} could not be imported into the cluster. ` +
        `Expected an OCI or Docker archive and free disk space. containerd said:\n${said}`,
    );
  }
}

/** Digests of the images that pods can use, by name (`repository:tag`). */
export async function listImages(supervisor: ProcessIdentity): Promise<Map<string, string>> {
  const { stdout } = await ctr(supervisor, ['images', 'list']);
  return imagesInTable(String(stdout));
}

/** Names and digests in what `ctr images list` prints; not the entries that Kubernetes adds by digest. */
export function imagesInTable(table: string): Map<string, string> {
  const rows = table
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/));
  return new Map(
    rows.flatMap(([name, , digest]): [string, string][] =>
      name && digest && !name.startsWith('sha256:') ? [[name, digest]] : [],
    ),
  );
}

/** Text of an OCI archive's `index.json`; empty for an archive of another kind. */
async function readIndex(archivePath: string): Promise<string> {
  const members = ['index.json', './index.json'].map((member) =>
    execa('tar', ['--extract', '--to-stdout', '--file', archivePath, member], { reject: false }),
  );
  return (await Promise.all(members)).find(({ exitCode }) => exitCode === 0)?.stdout ?? '';
}

const indexSchema = z.object({
  manifests: z.array(
    z.object({ digest: z.string(), annotations: z.record(z.string(), z.string()).optional() }),
  ),
});

/** Names and digests of the images in an OCI index; empty unless each has a full name in it. */
export function imagesInIndex(text: string): Map<string, string> {
  if (text === '') return new Map();
  const { manifests } = indexSchema.parse(JSON.parse(text));
  const images = manifests.map(({ digest, annotations = {} }): [string, string] => [
    annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'] ?? '',
    digest,
  ]);
  return images.every(([name]) => name.includes('/')) ? new Map(images) : new Map();
}
