import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { EnginePreview } from '../../meaning/changes.ts';
import { findDrift } from '../drift.ts';
import type { Pulumi } from '../pulumi.ts';
import { rollOut, whyHeld } from '../rollout.ts';
import { gitIn } from './git-in.ts';

const urn = (type: string, name: string) =>
  `urn:pulumi:s::scipion::scipion:instance:X$kubernetes:${type}::${name}`;
const SET = urn('apps/v1:StatefulSet', 'scipion-workload');
const step = (op: string, of: string, before: object, after: object) => ({
  op,
  urn: of,
  oldState: { inputs: before as Record<string, unknown> },
  newState: { inputs: after as Record<string, unknown> },
});
const spec = (replicas: number, image = 'a') => ({
  spec: { replicas, updateStrategy: { type: 'OnDelete' }, template: { spec: { containers: [{ image }] } } },
});
const CHANGE: EnginePreview = { steps: [step('update', SET, spec(1), spec(1, 'b'))] };

/** Pulumi whose stacks do as their names say. */
function fake() {
  const ups: string[] = [];
  let most = 0;
  let running = 0;
  const pulumi: Pulumi = {
    preview: async (stack) => {
      if (stack.startsWith('refused')) throw new Error('the namespace cannot change');
      if (stack.startsWith('paused')) return { steps: [step('update', SET, spec(1), spec(0))] };
      if (stack.startsWith('replaced')) return { steps: [step('replace', SET, spec(1), spec(1))] };
      return stack.startsWith('same') ? { steps: [step('same', SET, spec(1), spec(1))] } : CHANGE;
    },
    up: async (stack) => {
      most = Math.max(most, ++running);
      await setTimeout(5);
      running--;
      if (stack.startsWith('broken')) throw new Error('the cluster refuses');
      ups.push(stack);
    },
    drift: async (stack) => {
      if (stack === 'gone') throw new Error('no such stack');
      return stack === 'moved' ? '~ kubernetes:core/v1:Service' : undefined;
    },
    stacks: async () => [],
  };
  return { pulumi, ups, most: () => most };
}

const outcomesOf = async (stacks: string[], limit = 2) => {
  const { pulumi, ups, most } = fake();
  const outcomes = await rollOut(stacks, pulumi, { limit });
  return {
    ups,
    most: most(),
    outcomes: outcomes.map(({ stack, outcome }) => `${stack} ${outcome}`),
    told: outcomes,
  };
};

test('one stack first, then waves of the limit', async () => {
  const stacks = ['a', 'b', 'c', 'd', 'e', 'same'];
  const { ups, most, outcomes, told } = await outcomesOf(stacks);
  expect(outcomes).toEqual(['a done', 'b done', 'c done', 'd done', 'e done', 'same unchanged']);
  expect(ups[0]).toBe('a');
  expect(most).toBe(2);
  expect(told[0]?.text).toBe(
    'takes effect at the next start of the pod, the session continues until then: images',
  );
});

test('the first failure ends it, whatever fails, and what was not begun is named', async () => {
  const first = await outcomesOf(['broken', 'b', 'c']);
  expect(first.outcomes).toEqual(['broken failed', 'b not begun', 'c not begun']);
  expect(first.ups).toEqual([]);
  const later = await outcomesOf(['a', 'b', 'refused', 'd', 'e']);
  expect(later.outcomes).toEqual(['a done', 'b done', 'refused failed', 'd not begun', 'e not begun']);
  expect(later.ups).toEqual(['a', 'b']);
  const inWave = await outcomesOf(['a', 'b', 'broken', 'c', 'd']);
  expect(inWave.outcomes).toEqual(['a done', 'b done', 'broken failed', 'c done', 'd not begun']);
});

test('what would close a desktop is left to a person, and the others go on', async () => {
  const { ups, outcomes, told } = await outcomesOf(['paused', 'replaced', 'a']);
  expect(outcomes).toEqual(['paused held', 'replaced held', 'a done']);
  expect(ups).toEqual(['a']);
  expect(told[0]?.text).toBe(
    'stops the desktop after a last save; both volumes stay. Where that is meant, run it by hand: pulumi up --stack paused',
  );
  expect(told[1]?.text).toContain('replaces StatefulSet scipion-workload, which ends the session');
  for (const [type, op] of [
    ['core/v1:PersistentVolumeClaim', 'delete'],
    ['core/v1:Namespace', 'delete-replaced'],
    ['apps/v1:StatefulSet', 'create-replacement'],
    ['core/v1:ConfigMap', 'delete'],
  ] as const)
    expect(whyHeld({ steps: [step(op, urn(type, 'x'), {}, {})] })).toMatch(/^(removes|replaces) /);
  expect(
    whyHeld({ steps: [step('delete', urn('networking.k8s.io/v1:NetworkPolicy', 'x'), {}, {})] }),
  ).toBeUndefined();
  const rolling = { ...spec(1, 'b').spec, updateStrategy: { type: 'RollingUpdate' } };
  expect(whyHeld({ steps: [step('update', SET, spec(1), { spec: rolling })] })).toMatch(/^ends the session/);
  const service = urn('core/v1:Service', 'x');
  const ports = (targetPort: number) => ({ spec: { ports: [{ targetPort }] } });
  expect(whyHeld({ steps: [step('update', service, ports(8080), ports(9))] })).toContain(
    'is not known: look',
  );
});

test.each(['same', 'paused'])(
  'the first that really changes goes alone, after one that is %s',
  async (before) => {
    const { outcomes, ups } = await outcomesOf([before, 'broken', 'c', 'd', 'e', 'f', 'g'], 5);
    const rest = ['broken failed', 'c not begun', 'd not begun', 'e not begun', 'f not begun', 'g not begun'];
    expect(outcomes.slice(1)).toEqual(rest);
    expect(ups).toEqual([]);
    const later = await outcomesOf(['same1', 'same2', 'broken', 'd'], 2);
    expect(later.outcomes).toEqual(['same1 unchanged', 'same2 unchanged', 'broken failed', 'd not begun']);
  },
);

test('an interrupt ends what runs, begins nothing more, and every stack is named', async () => {
  const controller = new AbortController();
  const { pulumi, ups } = fake();
  const up: Pulumi['up'] = async (stack, signal) => {
    if (stack !== 'b') return pulumi.up(stack);
    setTimeout(5).then(() => controller.abort());
    await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('canceled'))));
  };
  const stacks = ['a', 'b', 'c', 'd', 'same'];
  const told = await rollOut(stacks, { ...pulumi, up }, { limit: 2, signal: controller.signal });
  expect(told.map(({ stack, outcome }) => `${stack} ${outcome}`)).toEqual([
    ...['a done', 'b interrupted', 'c not begun', 'd not begun', 'same not begun'],
  ]);
  expect(told[1]?.text).toBe('its up was stopped in the middle: canceled');
  expect(ups).toEqual(['a']);
});

test('drift of one stack does not keep the others from being compared', async () => {
  const foreign = async (stack: string) => (stack === 'same-but-set' ? ['Service x: kubectl set spec'] : []);
  const found = await findDrift(['same', 'gone', 'moved', 'a', 'same-but-set'], fake().pulumi, foreign, 2);
  expect(found.map(({ stack, state }) => `${stack} ${state}`)).toEqual([
    'same as it should be',
    'gone not compared',
    'moved drifted',
    'a left behind',
    'same-but-set drifted',
  ]);
  expect(found[4]?.text).toBe('set by others:\nService x: kubectl set spec');
  expect(found[3]?.text).toMatch(
    /was not rolled out. An up: takes effect .* images. See it: pulumi preview --diff --stack a$/,
  );
});

test('the commands call Pulumi without a shell, and say in the summary what they did', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'rollout-'));
  try {
    const git = gitIn(directory);
    const file = (stack: string) => join(directory, 'stacks', `Pulumi.${stack}.yaml`);
    mkdirSync(join(directory, 'stacks'));
    mkdirSync(join(directory, 'bin'));
    // Of Pulumi only what it is asked; the engine itself is in the test of the engine.
    const log = join(directory, 'asked');
    const answer = JSON.stringify(CHANGE);
    writeFileSync(
      join(directory, 'bin/pulumi'),
      `#!/bin/sh\nprintf '%s|' "$@" >>'${log}'; echo >>'${log}'\n` +
        `case "$*" in stack*) cat '${join(directory, 'known')}'; exit;;\n*--json*broken*) echo '{"diagnostics":[{"severity":"error","message":"\`</details>@all"}]}'; exit 1;;\n` +
        `*refresh*bob*) echo 'error: no changes were expected but changes were proposed'; exit 1;;\n` +
        `*--json*bob*) echo '{"steps":[]}';; *--json*) echo '${answer}';;\n` +
        `up*slow*) trap 'echo "error: canceled"; exit 1' INT; echo $$ >'${join(directory, 'slow')}'; while :; do sleep 0.1; done;;\n` +
        `up*locked*) echo 'error: the stack is currently locked by 1 lock(s)'; exit 1;; esac\n`,
    );
    chmodSync(join(directory, 'bin/pulumi'), 0o755);
    const knows = (...names: string[]) =>
      writeFileSync(
        join(directory, 'known'),
        JSON.stringify(names.map((name) => ({ name, resourceCount: name === 'empty' ? 0 : 20 }))),
      );
    git('init', '--quiet');
    const odd = '$(touch pwned)`touch pwned`<b>';
    for (const stack of ['ada', 'bob', 'new', odd]) writeFileSync(file(stack), 'config:\n  a:b: c\n');
    git('add', 'stacks');
    git('commit', '--quiet', '--message', 'change');

    const summary = join(directory, 'summary.md');
    const script = fileURLToPath(new URL('../deploy.ts', import.meta.url));
    const options = (path = `${join(directory, 'bin')}:${process.env.PATH}`) => ({
      cwd: directory,
      encoding: 'utf8' as const,
      env: { ...process.env, PATH: path, GITHUB_STEP_SUMMARY: summary },
    });
    const deploy = (...args: string[]) => {
      rmSync(summary, { force: true });
      return spawnSync(process.execPath, [script, ...args], options());
    };
    const said = () => readFileSync(summary, 'utf8');
    knows('ada', 'org/bob', 'gone', 'empty');
    const good = deploy('rollout');
    expect(good.stderr).toBe('ada: done\nbob: unchanged\n');
    expect(good.status).toBe(0);
    const asked = readFileSync(log, 'utf8').split('\n');
    expect(
      asked.filter((line) => line.startsWith('up|')).map((line) => /--stack\|([^|]*)/.exec(line)?.[1]),
    ).toEqual(['ada']);
    expect(asked.join('\n')).not.toMatch(/destroy|gone|touch/);
    expect(said()).toContain('- `gone`: left alone: `its file is gone; npm run destroy');
    expect(said()).toContain('- `new`: not made yet: `make it, with its secrets: pulumi stack init new`');
    expect(said()).not.toContain('`empty`');

    const drift = deploy('drift');
    expect(drift.stderr).toBe('error: 5 of 5 stacks are not as they should be, or were not compared.\n');
    expect(said()).toContain('**5 stacks: 1 left behind, 1 drifted, 1 not made yet, 2 left alone.**');
    expect(deploy('rollout', '--limit', '0').stderr).toContain('expected a whole number from 1 to 100');
    knows('other');
    expect(deploy('rollout').stderr).toContain('none of the 3 stacks of stacks/ is in this backend');

    for (const stack of ['broken', 'locked', 'slow', 'zoe']) writeFileSync(file(stack), 'config: {}\n');
    git('add', 'stacks');
    knows('ada', 'locked', 'zoe');
    const locked = deploy('rollout', '--limit', '1');
    expect(locked.stderr).toContain('error: the rollout stopped at locked; 1 stacks were not begun.');
    expect(said()).toContain('pulumi cancel --yes --stack locked');
    knows('ada', 'broken');
    const bad = deploy('rollout');
    expect(bad.status).toBe(1);
    expect(bad.stderr).toContain('error: the rollout stopped at broken; 1 stacks were not begun.');
    expect(said()).toContain('- `broken`: failed');

    knows('ada', 'slow', 'zoe');
    rmSync(summary);
    const interrupted = spawn(process.execPath, [script, 'rollout', '--limit', '1'], options());
    const words = text(interrupted.stderr);
    while (!existsSync(join(directory, 'slow'))) await setTimeout(50);
    interrupted.kill('SIGTERM');
    expect(await words).toContain(
      'error: the rollout was interrupted in the middle of slow; 1 were done, 1 stacks were not begun. Run it again',
    );
    expect(said()).toContain('its up was stopped in the middle: the up of slow failed:\nerror: canceled');
    const pid = Number(readFileSync(join(directory, 'slow'), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');

    mkdirSync(join(directory, 'alone'));
    symlinkSync(
      spawnSync('which', ['git'], { encoding: 'utf8' }).stdout.trim(),
      join(directory, 'alone/git'),
    );
    const without = spawnSync(process.execPath, [script, 'rollout'], options(join(directory, 'alone')));
    expect(without.stderr).toBe(
      'error: pulumi cannot be run: found ENOENT. Expected: Pulumi on PATH (https://www.pulumi.com/docs/install/).\n',
    );
    const preview = fileURLToPath(new URL('../main.ts', import.meta.url));
    const zeros = spawnSync(process.execPath, [preview, 'stacks', '--base', '0'.repeat(40)], options());
    expect(zeros.stderr).toContain('which is no commit of this repository; expected one that it has');
    expect(existsSync(join(directory, 'pwned'))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
