import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { activityReportSchema } from '../../contract/activity.ts';
import { ActivityWatch } from '../../src/sync/service/activity.ts';
import { syncApi } from '../../src/sync/service/http-api.ts';
import type { Runner } from '../../src/sync/service/runner.ts';
import { StatusBoard } from '../../src/sync/service/status-board.ts';
import { Folders, quiet, TestClock } from './world.ts';

const MINUTE = 60_000;

describe('an instance', () => {
  let now: number;
  let isOpen: boolean;
  let watch: ActivityWatch;
  beforeEach(() => {
    now = 5_000;
    isOpen = true;
    watch = new ActivityWatch({ monotonic: () => now }, () => isOpen);
  });
  const gateway = (windows = 0) => watch.note({ from: 'gateway', windows });
  const desktop = (protocols = 0, cpus = 0.02) => watch.note({ from: 'desktop', protocols, cpus });
  const idle = () => watch.view().idleSeconds;
  /** Both report so often while the time goes by. */
  const both = (windows = 0) => {
    gateway(windows);
    desktop();
  };
  const pass = (minutes: number, say: () => void = both) => {
    for (const end = now + minutes * MINUTE; now < end; now += 15_000) say();
    say();
  };

  test('is idle for as long as both say that nobody and nothing uses it', () => {
    pass(30);
    expect(watch.view()).toEqual({ windows: 0, protocols: 0, cpus: 0.02, idleSeconds: 1800 });
    gateway(1);
    expect(idle()).toBe(0);
    pass(10, () => both(1));
    expect(idle()).toBe(0);
    pass(5);
    expect(idle()).toBe(300);
    desktop(1);
    expect(idle()).toBe(0);
    pass(5);
    desktop(0, 0.9);
    expect(idle()).toBe(0);
  });

  test('is not known to be idle where one is silent, and begins anew after it', () => {
    expect(idle()).toBe(null);
    pass(10, () => gateway());
    expect(watch.view()).toEqual({ windows: 0, protocols: null, cpus: null, idleSeconds: null });
    pass(30);
    now += 61_000;
    gateway();
    expect(idle()).toBe(null);
    desktop();
    expect(idle()).toBe(0);
    // Nobody looked meanwhile.
    pass(20);
    now += 10 * MINUTE;
    gateway();
    desktop();
    expect(idle()).toBe(0);
  });

  test('that still copies, or closes, is at work', () => {
    isOpen = false;
    pass(600);
    expect(idle()).toBe(0);
    isOpen = true;
    pass(2);
    expect(idle()).toBeLessThanOrEqual(120);
  });
});

describe('over the socket', () => {
  test('reports are taken, nonsense is not, and a pause is announced until somebody comes', async () => {
    const clock = new TestClock();
    const board = new StatusBoard(clock);
    board.setReady(true);
    board.setPhase('running');
    const api = syncApi({ board } as unknown as Runner, quiet);
    const post = async (path: string, payload: object | string) =>
      (await api.inject({ method: 'POST', url: `/v1/${path}`, payload })).statusCode;
    expect(await post('activity', { from: 'gateway', windows: 0 })).toBe(200);
    expect(await post('activity', { from: 'desktop', protocols: 0, cpus: 0 })).toBe(200);
    expect(board.status().activity?.idleSeconds).toBe(0);
    for (const wrong of [
      { from: 'desktop', windows: 0 },
      { from: 'gateway', windows: -1 },
      { from: 'desktop', protocols: 0, cpus: -1 },
      { from: 'else' },
    ])
      expect(await post('activity', wrong)).toBe(400);
    const at = '2027-01-31T12:00:00Z';
    const announced = () => board.status().warnings?.filter(({ code }) => code === 'pauses-soon');
    expect(await post('notice', { why: 'expiry', at: 'soon' })).toBe(400);
    expect(await post('notice', { why: 'idle', at })).toBe(200);
    expect(announced()).toEqual([
      { code: 'pauses-soon', at, message: expect.stringContaining('2027-01-31 12:00 UTC') },
    ]);
    await post('activity', { from: 'gateway', windows: 1 });
    expect(announced()).toEqual([]);
    await post('notice', { why: 'expiry', at });
    await post('activity', { from: 'gateway', windows: 2 });
    expect(announced()).toHaveLength(1);
    expect((await api.inject({ method: 'POST', url: '/v1/notice' })).statusCode).toBe(200);
    expect(announced()).toEqual([]);
    await api.close();
  });
});

/** The desktop's own part, in Python, with real processes below it. */
describe('what the desktop tells', () => {
  const folders = new Folders();
  afterAll(() => folders.clear());
  const LIB = join(import.meta.dirname, '../../../desktop/lib');
  const PROGRAM = `
import pathlib, subprocess, sys, time
from scipion_desktop import activity, paths
paths.SYNC_SOCKET = pathlib.Path(sys.argv[1])
activity.REPORT_SECONDS = 1
run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "pw_protocol_run.py", "project"])
tool = subprocess.Popen([sys.executable, "-c", "while True: pass"])
activity.report_for_ever()
try:
    sys.stdin.readline()
    for child in (run, tool):
        child.kill()
        child.wait()
    sys.stdin.readline()
finally:
    run.kill()
    tool.kill()
`;

  test('counts runs of protocols and the processor of everything else', async () => {
    const socket = join(folders.make(), 'sync.sock');
    const reports: { protocols: number; cpus: number }[] = [];
    const server = createServer((request, response) => {
      void json(request).then((body) => {
        const report = activityReportSchema.parse(body);
        if (report.from === 'desktop') reports.push(report);
        response.end('{}');
      });
    });
    await new Promise<void>((done) => server.listen(socket, done));
    const env = { ...process.env, PYTHONPATH: LIB, PYTHONDONTWRITEBYTECODE: '1' };
    const child = spawn('python3', ['-c', PROGRAM, socket], { env, stdio: ['pipe', 'inherit', 'inherit'] });
    const until = async (check: (report: (typeof reports)[number]) => boolean) => {
      for (const from = reports.length, end = Date.now() + 30_000; ; ) {
        if (reports.slice(from).some(check)) return;
        if (Date.now() > end) throw new Error(`told: ${JSON.stringify(reports)}`);
        await new Promise((done) => setTimeout(done, 50));
      }
    };
    try {
      await until(({ protocols, cpus }) => protocols === 1 && cpus > 0.2);
      child.stdin.write('\n');
      await until(({ protocols, cpus }) => protocols === 0 && cpus < 0.2);
    } finally {
      child.stdin.end();
      await once(child, 'exit');
      server.close();
    }
  });
});
