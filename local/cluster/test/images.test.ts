import { describe, expect, test } from 'vitest';
import { imagesInIndex, imagesInTable } from '../images.ts';

describe('imagesInTable', () => {
  test('reads names and digests and leaves out what Kubernetes adds by digest', () => {
    const table = [
      'REF TYPE DIGEST SIZE PLATFORMS LABELS',
      'localhost/scipion/a:1     application/vnd.oci.image.manifest.v1+json sha256:aa 1.9 MiB linux/amd64 x=y',
      'sha256:bb                 application/vnd.oci.image.manifest.v1+json sha256:aa 1.9 MiB linux/amd64 x=y',
      '',
    ].join('\n');
    expect([...imagesInTable(table)]).toEqual([['localhost/scipion/a:1', 'sha256:aa']]);
  });

  test('is empty for no images', () => {
    expect(imagesInTable('REF TYPE DIGEST SIZE PLATFORMS LABELS').size).toBe(0);
  });
});

describe('imagesInIndex', () => {
  const index = (annotations: object) =>
    JSON.stringify({ manifests: [{ digest: 'sha256:aa', annotations }] });

  test('prefers the name meant for containerd', () => {
    const both = { 'io.containerd.image.name': 'localhost/a:1', 'org.opencontainers.image.ref.name': '1' };
    expect([...imagesInIndex(index(both))]).toEqual([['localhost/a:1', 'sha256:aa']]);
  });

  test('knows nothing of archives without full names, which must be imported to be known', () => {
    expect(imagesInIndex(index({ 'org.opencontainers.image.ref.name': 'latest' })).size).toBe(0);
    expect(imagesInIndex(JSON.stringify({ manifests: [{ digest: 'sha256:aa' }] })).size).toBe(0);
    expect(imagesInIndex('').size).toBe(0);
  });
});
