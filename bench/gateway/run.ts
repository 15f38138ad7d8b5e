import { loadavg, tmpdir } from 'node:os';
import { ensurePackages } from '../../local/apt.ts';
import { machineOf } from '../lib/machine.ts';
import { usageOf } from '../lib/measure.ts';
import { type CaseResult, isMet, type Series, type Target } from '../lib/results.ts';
import { medianSeconds, type Run, summarise } from '../lib/statistics.ts';
import type { Teller } from '../lib/teller.ts';
import { download, open, roundTrips, upload } from './client.ts';
import { end, type Peer, startBare, startDesktop, startOurs, startWebsockify } from './peers.ts';

const GIBIBYTE = 2 ** 30;
const WINDOWS = 50;
/** The gateway opens no more than this. */
const OUR_WINDOWS = 12;
const ROUND_TRIPS = 300;

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
};

/** Ours, websockify and a bare proxy in one run, each on the same socket. @throws Error where a peer refuses */
export async function runGateway({ bytes, repeats, teller, onResult }: GatewayRunOptions): Promise<void> {
  await ensurePackages(['websockify', 'socat'], teller.step);
  const ours = await startOurs();
  const desktop = await startDesktop(ours.vncSocket);
  const peers: Peer[] = [ours, await startWebsockify(ours.vncSocket), await startBare(ours.vncSocket)];
  try {
    const machine = machineOf(tmpdir());
    for (const [name, measure] of Object.entries(measures(bytes))) {
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
      const isTransfer = name.endsWith('browser');
      const result: CaseResult = {
        name: `gateway-${name}`,
        title: TITLES[name] as string,
        setup: isTransfer
          ? `${bytes / 2 ** 20} MiB between a client and a desktop that does nothing else.`
          : `${ROUND_TRIPS} messages of 8 bytes to a desktop that sends them back.`,
        scale: bytes >= GIBIBYTE ? 'full' : 'small',
        measuredAt: `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
        machine,
        series,
        targets: targets(series, isTransfer),
        growth: [],
      };
      for (const target of result.targets) {
        const found = Number(target.measured.toPrecision(3));
        teller.result(
          `  ${isMet(target) ? 'met   ' : 'MISSED'} ${target.text}: ${found} ${target.unit} (${target.sense} ${target.limit})`,
        );
      }
      await onResult(result);
    }
    for (const peer of peers) {
      const count = peer === ours ? OUR_WINDOWS : WINDOWS;
      const sockets = await Promise.all(Array.from({ length: count }, () => open(peer, 'echo')));
      teller.result(
        `${peer.name}: ${Math.round(usageOf(peer.pid).residentBytes / 2 ** 20)} MiB with ${count} windows`,
      );
      for (const socket of sockets) socket.destroy();
    }
  } finally {
    await Promise.all([...peers.map((peer) => peer.stop()), end(desktop)]);
  }
}

function targets([ours, theirs]: readonly Series[], isTransfer: boolean): Target[] {
  if (ours === undefined || theirs === undefined) return [];
  const cpu = ({ runs }: Series) => summarise(runs.map(({ cpuSeconds }) => cpuSeconds ?? 0)).median;
  const time = medianSeconds(theirs.runs) / medianSeconds(ours.runs);
  if (!isTransfer) {
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
