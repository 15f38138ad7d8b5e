import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureEngine, openStack, stateEnvironment } from '../../automation/engine/index.ts';
import { machineOf } from '../lib/machine.ts';
import { measure } from '../lib/measure.ts';
import { type CaseResult, minuteNow, type Series } from '../lib/results.ts';
import { medianSeconds, type Run } from '../lib/statistics.ts';
import type { Teller } from '../lib/teller.ts';

/** This program against the smallest Pulumi program with as many resources, on the same engine; objects become files. */

export interface ProgramOptions {
  readonly repeats: number;
  readonly directory: string;
  readonly repository: string;
  readonly teller: Teller;
}

const MAX_TIMES = 1.5;
const MAX_PREVIEW_SECONDS = 5;
const STACK = 'bench';
const SETTINGS = {
  'scipion:domain': 'example.org',
  'scipion:ingressClass': 'nginx',
  'scipion:imageRepository': 'registry.example.org/scipion',
  'scipion:onedataHost': 'provider.example.org',
  'scipion:sourceSpaceId': 'source-space',
  'scipion:projectSpaceId': 'project-space',
  // The hook that looks who has the namespace needs a cluster.
  'scipion:createNamespace': 'false',
  'scipion:checkTokens': 'false',
};

export async function runProgramBench(options: ProgramOptions): Promise<CaseResult[]> {
  const { repeats, repository, teller } = options;
  const engine = await ensureEngine(teller.step);
  const root = await mkdtemp(join(options.directory, 'scipion-bench-program-'));
  try {
    const ours = await prepare('ours', repository, SETTINGS, {
      'scipion:sourceToken': 'x'.repeat(32),
      'scipion:projectToken': 'y'.repeat(32),
    });
    await writeMinimal(join(root, 'minimal'), ours.resources, repository);
    const minimal = await prepare('minimal', join(root, 'minimal'), {}, {});
    const sizes = `State: ${await sizeOf(ours.state, 'scipion')}, that of the smallest program ${await sizeOf(minimal.state, 'minimal')}.`;
    const results: CaseResult[] = [];
    for (const [name, args] of [
      ['preview', ['preview']],
      ['up', ['up', '--yes', '--skip-preview']],
    ] as const) {
      const runs: { readonly ours: Run[]; readonly minimal: Run[] } = { ours: [], minimal: [] };
      for (let round = 0; round < repeats; round++) {
        teller.step(`${name}, round ${round + 1} of ${repeats}`);
        runs.ours.push(await timed(ours.state, args));
        runs.minimal.push(await timed(minimal.state, args));
      }
      results.push(resultOf(name, runs, `${ours.resources} resources`, sizes));
    }
    return results;
  } finally {
    await rm(root, { recursive: true, force: true });
  }

  /** Creates the stack, so that what is measured changes nothing. */
  async function prepare(
    name: string,
    program: string,
    config: Readonly<Record<string, string>>,
    secrets: Readonly<Record<string, string>>,
  ) {
    const state = join(root, `${name}-state`);
    const rendered = { 'kubernetes:renderYamlToDirectory': join(root, `${name}-objects`) };
    const stack = openStack(engine, {
      program,
      stack: STACK,
      stateDirectory: state,
      config: { ...config, ...rendered },
      secrets,
      environment: {},
      cli: 'npm run pulumi --',
    });
    const { changes } = await stack.up(teller.step);
    return { state, resources: changes.create ?? 0 };
  }

  async function sizeOf(state: string, project: string): Promise<string> {
    const { size } = await stat(join(state, '.pulumi', 'stacks', project, `${STACK}.json`));
    return `${Math.round(size / 1000)} kB`;
  }

  async function timed(state: string, args: readonly string[]): Promise<Run> {
    const environment = await stateEnvironment(engine, state);
    const common = ['--cwd', state, '--stack', STACK, '--non-interactive'];
    return measure({ file: engine.command, arguments: [...args, ...common], environment });
  }

  function resultOf(
    name: string,
    runs: { ours: Run[]; minimal: Run[] },
    resources: string,
    sizes: string,
  ): CaseResult {
    const series: Series[] = [
      { name: 'ours', label: 'this program', isOurs: true, runs: runs.ours },
      { name: 'minimal', label: 'the smallest program', isOurs: false, runs: runs.minimal },
    ];
    const [own, other] = [medianSeconds(runs.ours), medianSeconds(runs.minimal)];
    const ratio = { text: `${name}, against the smallest program`, measured: own / other, limit: MAX_TIMES };
    const seconds = { text: 'preview with nothing changed', measured: own, limit: MAX_PREVIEW_SECONDS };
    return {
      name: `program-${name}`,
      title: `pulumi ${name} with nothing changed`,
      setup: `${resources} on Pulumi ${engine.version}, ${engine.source}; the provider writes files in place of objects. ${sizes}`,
      scale: 'full',
      measuredAt: minuteNow(),
      machine: machineOf(options.directory),
      series,
      targets: [
        { ...ratio, sense: 'at most', unit: '×' },
        ...(name === 'preview' ? [{ ...seconds, sense: 'at most', unit: 's' } as const] : []),
      ],
      growth: [],
    };
  }
}

/** As many ConfigMaps as this program has resources. */
async function writeMinimal(directory: string, resources: number, repository: string): Promise<void> {
  await mkdir(directory);
  await symlink(join(repository, 'node_modules'), join(directory, 'node_modules'));
  const files = {
    'Pulumi.yaml': 'name: minimal\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n',
    'package.json': '{"name":"minimal","private":true,"type":"module","main":"index.ts"}',
    'index.ts': [
      "import * as k8s from '@pulumi/kubernetes';",
      `for (let number = 0; number < ${resources}; number++)`,
      "  new k8s.core.v1.ConfigMap('m' + number, { metadata: { name: 'm' + number, namespace: 'minimal' }, data: {} });",
    ].join('\n'),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
}
