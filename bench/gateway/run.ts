import { rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensurePackages } from '../../local/apt.ts';
import { startXvnc, XVNC_PACKAGES } from '../../test/browser/xvnc.ts';
import { machineOf } from '../lib/machine.ts';
import { usageOf } from '../lib/measure.ts';
import { type CaseResult, isMet, minuteNow, type Series, type Target } from '../lib/results.ts';
import { medianSeconds, type Run, summarise } from '../lib/statistics.ts';
import type { Teller } from '../lib/teller.ts';
import { download, open, roundTrips, upload } from './client.ts';
import { secondsPerFrame } from './frames.ts';
import { end, type Peer, startBare, startDesktop, startOurs, startWebsockify } from './peers.ts';

const GIBIBYTE = 2 ** 30;
const WINDOWS = 50;
/** The gateway opens no more than this. */
const OUR_WINDOWS = 12;
/** The 99th of a hundred is then what thirty were slower than, not three. */
const ROUND_TRIPS = 3000;

export interface GatewayRunOptions {
  readonly bytes: number;
  readonly repeats: number;
  readonly teller: Teller;
  onResult(result: CaseResult): Promise<void>;
}

type Measure = (peer: Peer) => Promise<Run>;

async function timed(peer: Peer, work: () => Promise<number>): Promise<Run> {
  const load = loadavg()[0] as number;
  const before = usageOf(peer.pid).cpuSeconds;
  const seconds = await work();
  const after = usageOf(peer.pid);
  return {
    seconds,
    cpuSeconds: after.cpuSeconds - before,
    peakBytes: after.residentBytes,
    requests: null,
    load,
  };
}

/** The 50th and the 99th of a hundred, each as a run of its own name. */
function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

function measures(bytes: number): Record<string, Measure> {
  const trips = async (peer: Peer, share: number) => {
    const socket = await open(peer, 'echo');
    const run = await timed(peer, async () => percentile(await roundTrips(peer, socket, ROUND_TRIPS), share));
    socket.destroy();
    return run;
  };
  const beside = async (peer: Peer, share: number) => {
    const busy = await open(peer, 'pour');
    busy.resume();
    const run = await trips(peer, share);
    busy.destroy();
    return run;
  };
  return {
    'to-browser': async (peer) => {
      const socket = await open(peer, 'pour');
      const run = await timed(peer, () => download(socket, bytes));
      socket.destroy();
      return run;
    },
    'from-browser': async (peer) => {
      const socket = await open(peer, 'swallow', bytes);
      const run = await timed(peer, () => upload(peer, socket, bytes));
      socket.destroy();
      return run;
    },
    'round-trip': (peer) => trips(peer, 0.5),
    'round-trip-99': (peer) => trips(peer, 0.99),
    'round-trip-busy': (peer) => beside(peer, 0.5),
    'round-trip-busy-99': (peer) => beside(peer, 0.99),
  };
}

const TITLES: Readonly<Record<string, string>> = {
  'to-browser': 'The desktop’s pictures to the browser',
  'from-browser': 'From the browser to the desktop',
  'round-trip': 'A key to the desktop and back, median',
  'round-trip-99': 'A key to the desktop and back, 99th of a hundred',
  'round-trip-busy': 'The same beside a window that streams, median',
  'round-trip-busy-99': 'The same beside a window that streams, 99th of a hundred',
  frames: 'A moving picture of a real desktop, each',
};

/** Pictures of a real desktop in a row. */
const FRAMES = 200;
const PAINTER = ['glxgears', '-geometry', '800x600'] as const;
const PAINTER_START_MS = 3000;

const ON_REAL_DESKTOP: Record<string, Measure> = {
  frames: (peer) => timed(peer, () => secondsPerFrame(peer, FRAMES)),
};

function setupOf(name: string, bytes: number): string {
  if (name.endsWith('browser'))
    return `${bytes / 2 ** 20} MiB between a client and a desktop that does nothing else.`;
  if (name in ON_REAL_DESKTOP) {
    return `Xvnc with \`${PAINTER.join(' ')}\`, ${FRAMES} pictures in a row without compression; it makes 60 a second at most.`;
  }
  return `${ROUND_TRIPS} messages of 8 bytes to a desktop that sends them back.`;
}

/** Ours, websockify and a bare proxy in one run, each on the same socket. @throws Error where a peer refuses */
export async function runGateway({ bytes, repeats, teller, onResult }: GatewayRunOptions): Promise<void> {
  await ensurePackages(['websockify', 'socat', 'mesa-utils', ...XVNC_PACKAGES], teller.step);
  const ours = await startOurs();
  const desktop = await startDesktop(ours.vncSocket);
  const peers: Peer[] = [ours, await startWebsockify(ours.vncSocket), await startBare(ours.vncSocket)];
  try {
    const machine = machineOf(tmpdir());
    const runCase = async ([name, measure]: [string, Measure]) => {
      teller.result(TITLES[name] as string);
      const runs = new Map<Peer, Run[]>(peers.map((peer) => [peer, []]));
      for (let round = 0; round < repeats; round += 1) {
        for (const peer of round % 2 === 0 ? peers : [...peers].reverse()) {
          const run = await measure(peer);
          teller.result(
            `  ${peer.name}: ${run.seconds.toPrecision(3)} s, ${run.cpuSeconds?.toFixed(2)} s of processor`,
          );
          runs.get(peer)?.push(run);
        }
      }
      const series: Series[] = peers.map((peer) => ({
        name: peer.name,
        label: peer.label,
        isOurs: peer === ours,
        runs: runs.get(peer) as Run[],
      }));
      const result: CaseResult = {
        name: `gateway-${name}`,
        title: TITLES[name] as string,
        setup: setupOf(name, bytes),
        scale: bytes >= GIBIBYTE ? 'full' : 'small',
        measuredAt: minuteNow(),
        machine,
        series,
        targets: targets(series, name),
        growth: [],
      };
      for (const target of result.targets) {
        const found = Number(target.measured.toPrecision(3));
        teller.result(
          `  ${isMet(target) ? 'met   ' : 'MISSED'} ${target.text}: ${found} ${target.unit} (${target.sense} ${target.limit})`,
        );
      }
      await onResult(result);
    };
    for (const each of Object.entries(measures(bytes))) await runCase(each);
    await tellMemory(peers, ours, teller);
    await end(desktop);
    await rm(ours.vncSocket);
    const xvnc = await startXvnc(ours.vncSocket);
    try {
      const [program, ...args] = PAINTER;
      xvnc.run(program, args);
      await sleep(PAINTER_START_MS);
      for (const each of Object.entries(ON_REAL_DESKTOP)) await runCase(each);
    } finally {
      await xvnc.stop();
    }
  } finally {
    await Promise.all([...peers.map((peer) => peer.stop()), end(desktop)]);
  }
}

async function tellMemory(peers: readonly Peer[], ours: Peer, teller: Teller): Promise<void> {
  for (const peer of peers) {
    const count = peer === ours ? OUR_WINDOWS : WINDOWS;
    const sockets = await Promise.all(Array.from({ length: count }, () => open(peer, 'echo')));
    teller.result(
      `${peer.name}: ${Math.round(usageOf(peer.pid).residentBytes / 2 ** 20)} MiB with ${count} windows`,
    );
    for (const socket of sockets) socket.destroy();
  }
}

function targets([ours, theirs]: readonly Series[], name: string): Target[] {
  if (ours === undefined || theirs === undefined) return [];
  const cpu = ({ runs }: Series) => summarise(runs.map(({ cpuSeconds }) => cpuSeconds ?? 0)).median;
  const time = medianSeconds(theirs.runs) / medianSeconds(ours.runs);
  if (name in ON_REAL_DESKTOP) {
    // The desktop itself is the limit: what differs by less is its own unevenness.
    return [{ text: 'time against websockify', measured: 1 / time, limit: 1.1, sense: 'at most', unit: '×' }];
  }
  if (!name.endsWith('browser')) {
    return [{ text: 'time against websockify', measured: 1 / time, limit: 1, sense: 'at most', unit: '×' }];
  }
  return [
    { text: 'throughput against websockify', measured: time, limit: 1, sense: 'at least', unit: '×' },
    {
      text: 'processor against websockify',
      measured: cpu(ours) / cpu(theirs),
      limit: 1.2,
      sense: 'at most',
      unit: '×',
    },
  ];
}
