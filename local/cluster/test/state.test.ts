import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeCredentials } from '../credentials.ts';
import { attachCluster, clusterStatus } from '../index.ts';
import { layoutOf } from '../layout.ts';
import { nodeImage, writeNodeImage } from '../node-image.ts';
import { identify } from '../process.ts';
import { readRecord, withLock, writeRecord } from '../record.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scipion-cluster-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const layout = () => layoutOf(join(folder, 'cluster'));
const self = () => {
  const identity = identify(process.pid);
  if (!identity) throw new Error('this process is not found in /proc');
  return identity;
};

describe('withLock', () => {
  test('lets one at a time in, in spite of failures', async () => {
    let inside = 0;
    const work = async () => {
      inside += 1;
      expect(inside).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 10));
      inside -= 1;
      throw new Error('expected');
    };
    const results = await Promise.allSettled([1, 2].map(() => withLock(layout(), () => undefined, work)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  test('says that it waits', async () => {
    const order: string[] = [];
    await withLock(
      layout(),
      () => order.push('waits first'),
      async () => {
        const second = withLock(
          layout(),
          () => order.push('waits'),
          async () => order.push('second'),
        );
        while (order.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        order.push('first');
        return [second];
      },
    ).then(([second]) => second);
    expect(order).toEqual(['waits', 'first', 'second']);
  });

  test('is free again when its holder is killed', async () => {
    const script =
      "import('./record.ts').then((m) => m.withLock({ lock: process.argv[1] }, () => {}, () => { console.log('held'); return new Promise(() => setInterval(() => {}, 1e6)); }))";
    const holder = execa(process.execPath, ['--input-type=module', '--eval', script, folder], {
      cwd: join(import.meta.dirname, '..'),
      reject: false,
      buffer: false,
    });
    await once(holder.stdout, 'data');
    let waited = false;
    const next = withLock(
      layout(),
      () => {
        waited = true;
        holder.kill('SIGKILL');
      },
      async () => 'done',
    );
    await expect(next).resolves.toBe('done');
    expect(waited).toBe(true);
  });
});

describe('record', () => {
  test('is stopped without one, and with one that cannot be read', async () => {
    expect(await clusterStatus(layout().state)).toEqual({ state: 'stopped' });
    writeFileSync(join(folder, 'cluster.json'), '{"supervisor":');
    expect(readRecord(layoutOf(folder))).toBeNull();
  });

  test('tells a cluster that died from one that runs', async () => {
    const record = {
      supervisor: { ...self(), startTime: '1' },
      binaries: '/b',
      httpsPort: 1,
      apiPort: 2,
      complete: true,
    };
    await writeRecord(layoutOf(folder), record);
    expect(readRecord(layoutOf(folder))).toEqual(record);
    expect(await clusterStatus(folder)).toEqual({ state: 'died' });
    expect(await attachCluster(folder)).toBeNull();
  });
});

describe('writeCredentials', () => {
  test('keeps what is still good', async () => {
    await writeCredentials(layout(), 6443);
    const before = await execa('sha256sum', ['-b', 'ca.crt', 'admin.crt', 'service-account.key'], {
      cwd: layout().pki,
    });
    await writeCredentials(layout(), 7443);
    const after = await execa('sha256sum', ['-b', 'ca.crt', 'admin.crt', 'service-account.key'], {
      cwd: layout().pki,
    });
    expect(after.stdout).toBe(before.stdout);
    expect((await execa('cat', [layout().kubeconfig])).stdout).toContain('https://127.0.0.1:7443');
    expect((await execa('stat', ['-c', '%a', layout().kubeconfig])).stdout).toBe('600');
  });
});

describe.skipIf(!existsSync('/bin/busybox'))('writeNodeImage', () => {
  test('makes an OCI archive in which every digest is that of its content', async () => {
    const archive = join(folder, 'image.tar');
    await writeNodeImage(archive);
    const read = async (path: string) => (await execa('tar', ['-xOf', archive, `./${path}`])).stdout;
    const index = JSON.parse(await read('index.json'));
    expect(index.manifests[0].annotations['io.containerd.image.name']).toBe(nodeImage);
    const blobPath = (digest: string) => `blobs/sha256/${digest.replace('sha256:', '')}`;
    const manifest = JSON.parse(await read(blobPath(index.manifests[0].digest)));
    for (const { digest, size } of [index.manifests[0], manifest.config, ...manifest.layers]) {
      const content = await execa('tar', ['-xOf', archive, `./${blobPath(digest)}`], {
        encoding: 'buffer',
        stripFinalNewline: false,
      });
      expect(content.stdout.length).toBe(size);
      expect(`sha256:${createHash('sha256').update(content.stdout).digest('hex')}`).toBe(digest);
    }
  });
});
