import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type FaultRule, randomFaults } from '../../../emulators/onedata/faults.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';
import { spaceContract } from './space-contract.ts';

const PATH = '/(data|cdmi|lookup-file-id|spaces)';
const often = (action: FaultRule['action'], probability = 0.2): FaultRule[] => [
  { action, path: PATH, probability },
];
const posix = (errno: string) => often({ kind: 'error', status: 400, id: 'posix', details: { errno } });

/** Passing faults, each by itself: with repeats a space keeps its contract under all of them. */
const FAULTS: Record<string, FaultRule[]> = {
  'cut connections': often({ kind: 'cut' }),
  'lost answers': often({ kind: 'lose-answer' }),
  overload: often({ kind: 'error', status: 503, id: 'serviceUnavailable' }),
  'internal errors': often({ kind: 'error', status: 500, id: 'internalServerError' }),
  'a gateway in between': often({ kind: 'status', status: 502 }),
  'too many requests': often({ kind: 'status', status: 429, retryAfterSeconds: 0 }),
  'web pages of a gateway in between': often({ kind: 'wrong-answer' }),
  'late answers': often({ kind: 'late-answer', milliseconds: 20 }),
  'a sick storage': posix('eagain'),
  'short bodies': often({ kind: 'truncate-body', afterBytes: 5 }),
  'refused uploads': often({ kind: 'refuse-body', afterBytes: 2, errno: 'etimedout' }),
  'cut uploads': often({ kind: 'cut-upload', afterBytes: 1 }),
  latency: often({ kind: 'latency', milliseconds: 20 }),
  'times that are not known': [{ action: { kind: 'zero-times' }, path: PATH }],
  // Without the zone out of reach: each of those waits ten seconds.
  'all of them': randomFaults(0.2).filter(({ action }) => action.kind !== 'error' || action.status !== 401),
};

describe.each(Object.entries(FAULTS))('under %s', (name, rules) => {
  let given: GivenEmulator;
  let struck = 0;
  beforeAll(async () => {
    given = await givenEmulator();
  });
  afterAll(async () => {
    await given.dispose();
    expect(struck).toBeGreaterThan(20);
  });

  spaceContract(name, async () => {
    const { faults } = given.emulator.context;
    struck += faults.log.length;
    const space = given.open(await given.addSpace());
    faults.clear();
    faults.apply({ seed: 3 });
    for (const rule of rules) faults.add(rule);
    return { space: withRetry(space, { retries: 15, firstWaitMs: 1, maxWaitMs: 5 }) };
  });
});
