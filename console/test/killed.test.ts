import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../../test/helpers/free-port.ts';
import type { InstanceList, Me } from '../src/view-types.ts';
import { buildConsoleWeb } from '../web/build.ts';
import { Visitor } from './helpers/visitor.ts';

/** A console that is killed with SIGKILL in the middle of ten operations: the next one finds them all. */

const USER = { 'x-forwarded-user': 'jane' };

test('ten operations are found again, explained, and finished or left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'console-killed-'));
  const directory = join(folder, 'project');
  mkdirSync(directory);
  await buildConsoleWeb(join(folder, 'web'));
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const start = async (milliseconds: number) => {
    const script = join(import.meta.dirname, 'killed-console.ts');
    const args = [
      '--disable-warning=ExperimentalWarning',
      script,
      folder,
      directory,
      String(port),
      String(milliseconds),
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const text of child.stdout) if (String(text).includes('ready')) break;
    return child;
  };
  const kill = async (child: Awaited<ReturnType<typeof start>>) => {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  const jane = new Visitor();
  const get = async <T>(path: string) =>
    (await jane.request(`${origin}${path}`, { headers: USER })).json<T>();
  const post = async (path: string, body: object) => {
    const { csrf } = await get<Me>('/api/me');
    const headers = { ...USER, origin, 'content-type': 'application/json', 'x-csrf-token': csrf };
    return jane.request(`${origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  };
  const tokens = {
    sourceToken: `source-token-${'x'.repeat(20)}`,
    projectToken: `project-token-${'x'.repeat(20)}`,
  };
  let child = await start(60_000);
  try {
    const names = Array.from({ length: 10 }, (_, index) => `of-jane-${index}`);
    for (const name of names) {
      const settings = { sourceSpaceId: 'raw', projectSpaceId: `work-${name}` };
      expect((await post('/api/instances', { name, settings, ...tokens })).status).toBe(202);
    }
    const stages = async () => {
      const { instances } = await get<InstanceList>('/api/instances');
      return instances.map(({ operation }) => operation?.stage).toSorted();
    };
    // Four are with the engine, the others wait for their turn.
    const expected = [...Array(4).fill('engine'), ...Array(6).fill('waiting')];
    await expect.poll(stages).toEqual(expected);
    await kill(child);
    child = await start(50);
    const { instances } = await get<InstanceList>('/api/instances');
    expect(instances.map(({ name }) => name).toSorted()).toEqual(names);
    for (const { state, owner, operation } of instances) {
      expect([state, owner, operation?.kind, operation?.isHere]).toEqual(['killed', 'jane', 'create', false]);
      // What waited has begun nothing, so its answers are asked for again.
      expect(operation?.needsAnswers).toBe(operation?.stage === 'waiting');
      if (operation?.stage === 'engine') expect(operation.underWay).toEqual(['create StatefulSet scipion']);
    }
    const waited = instances.filter(({ operation }) => operation?.needsAnswers).map(({ name }) => name);
    for (const name of waited) expect((await post(`/api/instances/${name}/give-up`, {})).status).toBe(200);
    const left = (await get<InstanceList>('/api/instances')).instances.map(({ name }) => name);
    expect(left.toSorted()).toEqual(names.filter((name) => !waited.includes(name)));
    for (const name of left) expect((await post(`/api/instances/${name}/continue`, {})).status).toBe(202);
    const undone = async () => {
      const all = (await get<InstanceList>('/api/instances')).instances;
      return all.filter(({ operation, changedAt }) => operation !== undefined || changedAt === undefined)
        .length;
    };
    await expect.poll(undone).toBe(0);
    expect((await get<InstanceList>('/api/instances')).instances.length).toBe(left.length);
  } finally {
    await kill(child);
    rmSync(folder, { recursive: true, force: true });
  }
});
