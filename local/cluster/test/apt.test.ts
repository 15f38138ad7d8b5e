import { describe, expect, test } from 'vitest';
import { missingPackages } from '../../apt.ts';

describe('missingPackages', () => {
  test('counts a removed package whose configuration stays as missing', () => {
    const output = 'runc installed\nsocat config-files\n';
    expect(missingPackages(['runc', 'socat', 'etcd-server'], output)).toEqual(['socat', 'etcd-server']);
  });

  test('names each missing package once and nothing when all are there', () => {
    expect(missingPackages(['socat', 'socat'], '')).toEqual(['socat']);
    expect(missingPackages(['socat'], 'socat installed\n')).toEqual([]);
  });
});
