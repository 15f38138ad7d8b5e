import { expect, test } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { probesApi } from '../../src/sync/service/http-api.ts';
import type { SyncMetrics } from '../../src/sync/service/metrics.ts';
import type { Runner } from '../../src/sync/service/runner.ts';
import { IDLE_STATUS } from '../gateway/helpers/fake-sync.ts';

const probesOf = (status: SyncStatus) =>
  probesApi({ board: { status: () => status } } as unknown as Runner, {} as SyncMetrics);

test('no problem is a plain success for the kubelet', async () => {
  const answer = await probesOf(IDLE_STATUS).inject('/problems');
  expect(answer.statusCode).toBe(200);
});

test('a problem is a success with its sentence as text, and a redirect to another host, which makes it an event', async () => {
  const message = 'Onedata cannot be reached at provider.example.org.';
  const problems: SyncStatus['problems'] = [
    { code: 'onedata-unreachable', space: 'source', message, since: '2026-01-01T00:00:00Z' },
  ];
  const answer = await probesOf({ ...IDLE_STATUS, problems }).inject('/problems');
  expect(answer.statusCode).toBe(302);
  expect(new URL(answer.headers.location ?? '').hostname).toBe('problem.invalid');
  expect(answer.body).toBe(message);
});
