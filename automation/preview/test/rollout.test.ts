import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { EnginePreview } from '../../meaning/changes.ts';
import type { Pulumi } from '../pulumi.ts';
import { findDrift, rollOut, whyHeld } from '../rollout.ts';
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
    'takes effect at the next start of the pod, the session goes on until then: images',
  );
});

test('the first failure ends it, whatever fails, and what was not begun is named', async () => {
  const first = await outcomesOf(['broken', 'b', 'c']);
  expect(first.outcomes).toEqual(['broken failed', 'b not begun', 'c not begun']);
  expect(first.ups).toEqual([]);
  const later = await outcomesOf(['a', 'b', 'refused', 'd', 'e']);
  expect(later.outcomes).toEqual(['a done', 'b not begun', 'refused failed', 'd not begun', 'e not begun']);
  expect(later.ups).toEqual(['a']);
  const inWave = await outcomesOf(['a', 'broken', 'c', 'd']);
  expect(inWave.outcomes).toEqual(['a done', 'broken failed', 'c done', 'd not begun']);
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

test('drift of one stack does not keep the others from being compared', async () => {
  const found = await findDrift(['a', 'gone', 'moved'], fake().pulumi, 2);
  expect(found.map(({ stack, state }) => `${stack} ${state}`)).toEqual([
    'a as it should be',
    'gone not compared',
    'moved drifted',
  ]);
});

test('the commands call Pulumi without a shell, and say in the summary what they did', () => {
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
        `case "$*" in *--json*broken*) echo '{"diagnostics":[{"severity":"error","message":"\`</details>@all"}]}'; exit 1;;\n` +
        `*refresh*bob*) echo 'error: no changes were expected but changes were proposed'; exit 1;;\n` +
        `*--json*) echo '${answer}';; esac\n`,
    );
    chmodSync(join(directory, 'bin/pulumi'), 0o755);
    git('init', '--quiet');
    for (const stack of ['ada', 'gone']) writeFileSync(file(stack), 'config: {}\n');
    git('add', 'stacks');
    git('commit', '--quiet', '--message', 'base');
    const base = git('rev-parse', 'HEAD');
    const odd = '$(touch pwned)`touch pwned`<b>';
    for (const stack of ['ada', 'bob', odd]) writeFileSync(file(stack), 'config:\n  a:b: c\n');
    rmSync(file('gone'));
    git('add', 'stacks');
    git('commit', '--quiet', '--message', 'change');

    const summary = join(directory, 'summary.md');
    const deploy = (...args: string[]) =>
      spawnSync(process.execPath, [fileURLToPath(new URL('../deploy.ts', import.meta.url)), ...args], {
        cwd: directory,
        encoding: 'utf8',
        env: {
          ...process.env,
          PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
          GITHUB_STEP_SUMMARY: summary,
        },
      });
    const good = deploy('rollout', '--base', base);
    expect(good.stderr).toBe('ada: done\nbob: done\n');
    expect(good.status).toBe(0);
    const asked = readFileSync(log, 'utf8').split('\n');
    expect(
      asked.filter((line) => line.startsWith('up|')).map((line) => /--stack\|([^|]*)/.exec(line)?.[1]),
    ).toEqual(['ada', 'bob']);
    expect(asked.join('\n')).not.toMatch(/destroy|gone|touch/);
    expect(readFileSync(summary, 'utf8')).toContain(
      '- `gone`: left alone: `its file is gone; npm run destroy',
    );

    writeFileSync(file('broken'), 'config: {}\n');
    git('add', 'stacks');
    git('commit', '--quiet', '--message', 'broken');
    rmSync(summary);
    const bad = deploy('rollout', '--base', 'HEAD~1');
    expect(bad.status).toBe(1);
    expect(bad.stderr).toContain('error: the rollout stopped at broken; 0 stacks were not begun.');
    expect(readFileSync(summary, 'utf8')).toContain('- `broken`: failed');

    rmSync(summary);
    const drift = deploy('drift');
    expect(drift.stderr).toBe('error: 1 of 3 stacks drifted or were not compared.\n');
    expect(readFileSync(summary, 'utf8')).toContain('**3 stacks: 2 as it should be, 1 drifted.**');
    expect(deploy('rollout', '--base', base, '--limit', '0').stderr).toContain(
      'expected a whole number from 1 to 100',
    );
    expect(existsSync(join(directory, 'pwned'))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
