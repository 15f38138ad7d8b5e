import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/**
 * The one image the cluster itself needs: what holds a pod's namespaces open (pause), and what makes and removes
 * the folders of volumes. Its content is Debian's static busybox, so it comes from no image registry.
 */
export const nodeImage = 'localhost/scipion/node-tools:1';

const BUSYBOX = '/bin/busybox';
const COMMANDS = ['sh', 'sleep', 'mkdir', 'rm', 'chmod'];

/** Writes the image as an OCI archive (a tar file) to `archive`. */
export async function writeNodeImage(archive: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'scipion-node-image-'));
  try {
    const root = join(work, 'root');
    const layout = join(work, 'layout');
    await mkdir(join(root, 'bin'), { recursive: true });
    await mkdir(join(layout, 'blobs', 'sha256'), { recursive: true });
    await copyFile(BUSYBOX, join(root, 'bin', 'busybox'));
    for (const command of COMMANDS) await symlink('busybox', join(root, 'bin', command));
    await tar(root, join(work, 'layer.tar'));
    await writeLayout(layout, await readFile(join(work, 'layer.tar')));
    await tar(layout, archive);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** An OCI image layout (https://github.com/opencontainers/image-spec) with one uncompressed layer. */
async function writeLayout(layout: string, layer: Buffer): Promise<void> {
  const blob = async (mediaType: string, content: Buffer) => {
    const digest = createHash('sha256').update(content).digest('hex');
    await writeFile(join(layout, 'blobs', 'sha256', digest), content);
    return { mediaType, digest: `sha256:${digest}`, size: content.length };
  };
  const layerBlob = await blob('application/vnd.oci.image.layer.v1.tar', layer);
  const config = await blob('application/vnd.oci.image.config.v1+json', json(imageConfig(layerBlob.digest)));
  const manifest = await blob(
    'application/vnd.oci.image.manifest.v1+json',
    json({ schemaVersion: 2, config, layers: [layerBlob] }),
  );
  const annotations = { 'io.containerd.image.name': nodeImage, 'org.opencontainers.image.ref.name': '1' };
  await writeFile(
    join(layout, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  await writeFile(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
}

function imageConfig(layerDigest: string): object {
  return {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: ['/bin/sleep', 'infinity'], Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [layerDigest] },
  };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Owners, times and order are fixed, so that the same busybox gives the same image. */
async function tar(folder: string, file: string): Promise<void> {
  await execa('tar', [
    ...['--create', '--file', file, '--directory', folder],
    ...['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '.'],
  ]);
}
