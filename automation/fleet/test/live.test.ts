import { expect, test } from 'vitest';
import type { SyncStatus } from '../../../sidecar/contract/status.ts';
import { IDLE_STATUS } from '../../../sidecar/test/gateway/helpers/fake-sync.ts';
import { describeSync } from '../live.ts';

test('a person is told whether an instance is in use, and only what is known', () => {
  const status: SyncStatus = { ...IDLE_STATUS, phase: 'running', ready: true };
  const use = (activity?: SyncStatus['activity']) =>
    describeSync({ ...status, ...(activity ? { activity } : {}) }).filter((line) =>
      line.startsWith('In use'),
    );
  expect(use()).toEqual([]);
  const nothing = { windows: 0, protocols: 0, cpus: 0 };
  expect(use({ ...nothing, idleSeconds: 7265 })).toEqual(['In use     not for 121 min']);
  expect(use({ ...nothing, windows: 2, protocols: 1, idleSeconds: 0 })).toEqual([
    'In use     2 windows, 1 protocols',
  ]);
  expect(use({ windows: 0, protocols: null, cpus: null, idleSeconds: null })).toEqual([
    'In use     not known',
  ]);
});
