import { Client } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { errorOf, Given } from './given.ts';

/** Traps that a client meets with real providers and that nothing but care would show. */

let given: Given;
beforeAll(async () => {
  given = await Given.start({
    spaces: [{ id: 'sp1', name: 'lab' }],
    providers: [{ id: 'b-provider', name: 'B', host: 'beta.onedata.localhost' }],
  });
});
afterAll(() => given.dispose());

/** Another provider makes a file under a name that is taken. */
async function conflict(): Promise<unknown> {
  const client = new Client('http://admin', { socketPath: given.emulator.adminSocket });
  const body = JSON.stringify({ path: 'report', provider: 'b-provider', text: 'theirs' });
  const answer = await client.request({ method: 'POST', path: '/spaces/sp1/conflicts', body });
  const made = await answer.body.json();
  await client.close();
  return made;
}

const names = async (attributes = 'attributes=name&attributes=conflictingName') =>
  (await given.op('GET', `data/sp1/children?${attributes}`)).json.children;

describe('a name that two providers gave at once', () => {
  test('shows as two entries, the later one with its provider, and each is found by what it shows', async () => {
    const first = await given.put('report', 'mine');
    expect(await conflict()).toEqual({ name: 'report@b-pr' });
    expect(await names()).toEqual([
      { name: 'report', conflictingName: null },
      { name: 'report@b-pr', conflictingName: 'report' },
    ]);
    const { fileId } = (await given.op('POST', 'lookup-file-id/lab/report@b-pr')).json;
    expect((await given.op('GET', `data/${fileId}/content`)).text).toBe('theirs');
    expect((await given.op('GET', `data/${fileId}?attributes=originProviderId`)).json).toEqual({
      originProviderId: 'b-provider',
    });
    expect((await given.op('GET', 'data/sp1/path/report')).text).toBe('mine');
    // The suffix goes with its reason; the id stays.
    await given.op('DELETE', `data/${first}`);
    expect(await names()).toEqual([{ name: 'report', conflictingName: null }]);
    expect((await given.op('GET', `data/${fileId}?attributes=name`)).json.name).toBe('report');
    await given.op('DELETE', `data/${fileId}`);
  });

  test('is told from a name that holds the character by itself', async () => {
    const id = await given.put('a%40b', 'x');
    expect(await names()).toEqual([{ name: 'a@b', conflictingName: null }]);
    await given.op('DELETE', `data/${id}`);
  });

  test('has one of its own again once somebody renames it', async () => {
    await given.put('report', 'mine');
    await conflict();
    expect((await given.move('lab@sp1/other', 'lab@sp1/report@b-pr')).status).toBe(201);
    expect(await names()).toEqual([
      { name: 'other', conflictingName: null },
      { name: 'report', conflictingName: null },
    ]);
  });
});

describe('a token that was refused', () => {
  test('is refused for a while longer, also when it is good by then; another one is not', async () => {
    const empty = await Given.start({ spaces: [] });
    empty.emulator.context.faults.apply({ refusalMemoryMilliseconds: 60_000 });
    expect(errorOf(await empty.op('GET', 'spaces'))).toBe('401 unauthorized');
    await empty.emulator.addSpace({ id: 'late', name: 'late', supported: true });
    expect((await empty.op('GET', 'spaces')).status).toBe(401);
    expect((await empty.op('GET', 'spaces', { token: empty.mint() })).status).toBe(200);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    expect((await empty.op('GET', 'spaces')).status).toBe(200);
    vi.useRealTimers();
    await empty.dispose();
    expect(given.emulator.context.faults.settings.refusalMemoryMilliseconds).toBe(10_000);
  });

  test('is remembered by the provider that refused it alone', async () => {
    const token = given.mint({ type: 'service', whitelist: ['opw-b-provider'] });
    const port = given.emulator.providerHost.split(':')[1];
    expect((await given.op('GET', 'spaces', { token })).status).toBe(401);
    expect((await given.at(`beta.onedata.localhost:${port}`, 'GET', 'spaces', { token })).status).toBe(200);
  });
});
