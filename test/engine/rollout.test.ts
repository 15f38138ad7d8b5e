import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { engineEnvironment, ensureEngine, runCommand } from '../../automation/engine/index.ts';
import { gitIn } from '../../automation/preview/test/git-in.ts';
import { compareWith } from '../../console/src/site/compare.ts';
import { type KubernetesApi, startKubernetesApi } from '../helpers/kubernetes-api.ts';

/** What rollout.yml and drift.yml run, with Pulumi itself and a real API server: three stacks of this program. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const STACKS = ['ada', 'bob', 'eve'] as const;
const PARTS = [
  'Pulumi.yaml',
  'package.json',
  'index.ts',
  'node-version.mjs',
  'components',
  'sidecar/contract',
];
/** Pulumi starts a dozen times, each time with the program. */
const MINUTES = 60_000;

describe('many stacks', () => {
  const place = mkdtempSync(join(tmpdir(), 'engine-rollout-'));
  const directory = join(place, 'repository');
  const summary = join(place, 'summary.md');
  const git = gitIn(directory);
  let api: KubernetesApi;
  let environment: Record<string, string>;

  const namespace = (name: string) => api.request('POST', '/api/v1/namespaces', { metadata: { name } });
  const objectOf = (stack: string, path: string) =>
    api.request('GET', path.replace('NAMESPACE', `namespaces/${stack}`));
  const SET = '/apis/apps/v1/NAMESPACE/statefulsets/scipion';

  const stackFile = (stack: string) => join(directory, 'stacks', `Pulumi.${stack}.yaml`);
  function commit(message: string): void {
    git('add', '--all');
    git('commit', '--quiet', '--message', message);
  }

  beforeAll(async () => {
    const engine = await ensureEngine(() => {});
    mkdirSync(join(directory, 'stacks'), { recursive: true });
    for (const part of PARTS) cpSync(join(ROOT, part), join(directory, part), { recursive: true });
    cpSync(join(ROOT, 'stacks'), join(directory, 'stacks'), {
      recursive: true,
      filter: (file) => !file.endsWith('.yaml'),
    });
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    writeFileSync(join(directory, '.gitignore'), 'node_modules\n');
    mkdirSync(join(place, 'backend'));
    api = await startKubernetesApi();
    const kubeconfig = join(place, 'kubeconfig');
    writeFileSync(kubeconfig, api.kubeconfig, { mode: 0o600 });
    environment = {
      ...engineEnvironment(engine),
      PULUMI_BACKEND_URL: `file://${join(place, 'backend')}`,
      PULUMI_CONFIG_PASSPHRASE: 'throw-away',
      KUBECONFIG: kubeconfig,
      GITHUB_STEP_SUMMARY: summary,
    };
    git('init', '--quiet');
    commit('base');
    for (const stack of STACKS) {
      await runCommand(engine, ['stack', 'init', stack, '--no-select'], { directory, environment });
      // Their tokens are somebody's Secret, in a namespace that is there.
      const config = {
        'scipion:createNamespace': 'false',
        'scipion:onedataSecret': 'tokens',
        'scipion:onedataHost': 'provider.example.org',
        'scipion:sourceSpaceId': 'source-space',
        'scipion:projectSpaceId': `project-${stack}`,
      };
      const salt = readFileSync(stackFile(stack), 'utf8')
        .split('\n')
        .find((line) => /^encryptionsalt/.test(line));
      writeFileSync(stackFile(stack), `${stringify({ config })}${salt ?? ''}\n`);
    }
    commit('three stacks');
    await namespace('ada');
    await namespace('eve');
  }, 45 * MINUTES); // where neither Pulumi nor Kubernetes is built yet
  afterAll(async () => {
    await api?.[Symbol.asyncDispose]();
    rmSync(place, { recursive: true, force: true });
  }, MINUTES);

  async function deploy(...args: string[]) {
    rmSync(summary, { force: true });
    const script = join(ROOT, 'automation/preview/deploy.ts');
    const { stderr, exitCode } = await execa(process.execPath, [script, ...args], {
      cwd: directory,
      env: environment,
      reject: false,
    });
    return { stderr, exitCode, summary: readFileSync(summary, 'utf8') };
  }

  test(
    'the first failure ends a rollout: what was before it is there, what is after it is untouched',
    async () => {
      const { stderr, exitCode, summary: said } = await deploy('rollout', '--limit', '1');
      expect(stderr).toContain('ada: done\nbob: failed\neve: not begun\n');
      expect(exitCode).toBe(1);
      expect(said).toContain('**3 stacks: 1 done, 1 failed, 1 not begun.**');
      expect(said).toContain('- `ada`: done: `creates the instance`');
      expect(said).toMatch(/namespaces "bob" not found/);
      expect(await objectOf('ada', SET)).toMatchObject({ spec: { replicas: 1 } });
      await expect(objectOf('eve', SET)).rejects.toThrow('404');
      await expect(objectOf('eve', '/api/v1/NAMESPACE/configmaps/scipion-config')).rejects.toThrow('404');
    },
    10 * MINUTES,
  );

  test(
    'the same command goes on once the cause is gone, and changes nothing of what was done',
    async () => {
      await namespace('bob');
      const before = await objectOf('ada', SET);
      const { stderr, exitCode } = await deploy('rollout', '--limit', '2');
      expect(stderr).toBe('ada: unchanged\nbob: done\neve: done');
      expect(exitCode).toBe(0);
      expect(await objectOf('ada', SET)).toEqual(before);
      expect(await objectOf('eve', SET)).toMatchObject({ spec: { replicas: 1 } });
    },
    10 * MINUTES,
  );

  test(
    'a setting that one rollout leaves behind is drift, and the next takes it up',
    async () => {
      const interval = (stack: string, minutes: number) => {
        const words = readFileSync(stackFile(stack), 'utf8').replace(/ {2}scipion:autosaveInterval.*\n/, '');
        writeFileSync(
          stackFile(stack),
          words.replace('config:\n', `config:\n  scipion:autosaveInterval: ${minutes} minutes\n`),
        );
      };
      for (const stack of STACKS) interval(stack, 7);
      const bob = readFileSync(stackFile('bob'), 'utf8');
      writeFileSync(stackFile('bob'), bob.replace('project-bob', 'project-other'));
      commit('one that is refused');
      const first = await deploy('rollout', '--limit', '1');
      expect(first.stderr).toContain('ada: done\nbob: failed\neve: not begun\n');
      const left = await deploy('drift');
      expect(left.summary).toContain('- `eve`: left behind');
      expect(left.exitCode).toBe(1);
      writeFileSync(stackFile('bob'), bob);
      commit('put right');
      const second = await deploy('rollout', '--limit', '1');
      expect(second.stderr).toBe('ada: unchanged\nbob: done\neve: done');
      expect(await objectOf('eve', '/api/v1/NAMESPACE/configmaps/scipion-config')).toMatchObject({
        data: { 'sync.json': expect.stringMatching(/"autosaveIntervalSeconds": ?420/) },
      });
    },
    15 * MINUTES,
  );

  test(
    'an object that was changed by hand is drift, and only its stack is named',
    async () => {
      const clean = await deploy('drift');
      expect(clean.summary).toContain('**3 stacks: 3 as it should be.**');
      expect(clean.exitCode).toBe(0);
      const path = '/api/v1/namespaces/bob/configmaps/scipion-config';
      await api.request('PATCH', path, { data: { 'sync.json': '{}' } });
      const { exitCode, summary: said } = await deploy('drift');
      expect(exitCode).toBe(1);
      expect(said).toContain('**3 stacks: 2 as it should be, 1 drifted.**');
      expect(said).toContain('- `bob`: drifted');
      expect(said).toContain('sync.json');
      // The console says it in the same way, one by one.
      vi.stubEnv('KUBECONFIG', environment.KUBECONFIG);
      const compare = compareWith(await ensureEngine(() => {}), directory, environment);
      expect(await compare('ada')).toMatchObject({ state: 'as it should be', text: '' });
      expect(await compare('bob')).toMatchObject({
        state: 'drifted',
        text: expect.stringContaining('sync.json'),
      });
      expect(await compare('nobody')).toMatchObject({ state: 'not compared' });
      expect(await api.request('GET', path)).toMatchObject({ data: { 'sync.json': '{}' } });
    },
    10 * MINUTES,
  );

  test(
    'a rule that somebody added beside those of the program is drift, named with who set it',
    async () => {
      const patch = (path: string, body: object) => api.request('PATCH', path, body);
      const policy = '/apis/networking.k8s.io/v1/namespaces/eve/networkpolicies/scipion';
      const { spec } = (await api.request('GET', policy)) as { spec: { egress: object[] } };
      await patch(`${policy}?fieldManager=by-hand`, { spec: { egress: [...spec.egress, {}] } });
      await patch('/api/v1/namespaces/ada/services/scipion?fieldManager=by-hand', {
        spec: { externalIPs: ['192.0.2.1'] },
      });
      const { exitCode, summary: said } = await deploy('drift');
      expect(exitCode).toBe(1);
      expect(said).toContain('**3 stacks: 3 drifted.**');
      expect(said).toContain('NetworkPolicy scipion: by-hand set spec.egress');
      expect(said).toContain('Service scipion: by-hand set spec.externalIPs');
    },
    10 * MINUTES,
  );
});
