import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { engineEnvironment, ensureEngine } from '../../automation/engine/index.ts';
import { ROOT } from '../../local/cli/machine.ts';
import { kubectl } from '../../local/cli/target.ts';
import { cluster, emulator, kubeNamespaces, target } from './world.ts';

/**
 * The README's commands for a cluster of one's own, as they stand there, by the plain command line: only what the README
 * leaves open is filled in, and the site's values are set in a copy of the repository's Pulumi.yaml, as it says.
 */

const STACK = 'alice';
const RENAMED = 'alice-doe';
let site: string;
let environment: Record<string, string>;
let onedata: Awaited<ReturnType<Awaited<ReturnType<typeof emulator>>['credentials']>>;

/** Runs a line of the README. @throws where it fails */
async function shell(line: string, input = ''): Promise<string> {
  const { stdout } = await execa('sh', ['-c', line], { cwd: site, env: environment, input });
  return stdout;
}

/** The lines of the first shell block below a heading, without their comments. */
async function commandsOf(heading: string): Promise<string[]> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const block = readme.split(`## ${heading}\n`)[1]?.split('```sh\n')[1]?.split('```')[0] ?? '';
  return block
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter(Boolean);
}

beforeAll(async () => {
  site = await mkdtemp(join(tmpdir(), 'scipion-site-'));
  const { stdout } = await execa('git', ['ls-files'], { cwd: ROOT });
  for (const file of stdout.split('\n')) await cp(join(ROOT, file), join(site, file));
  onedata = await (await emulator()).credentials();
  const { kubeconfigPath, httpsPort } = await cluster();
  const file = join(site, 'Pulumi.yaml');
  const project = parseDocument(await readFile(file, 'utf8'));
  const demo = parseDocument(await readFile(join(site, 'stacks', 'Pulumi.demo.yaml'), 'utf8')).toJS();
  const { 'scipion:sourceSpaceId': _source, 'scipion:projectSpaceId': _project, ...siteWide } = demo.config;
  for (const [key, value] of Object.entries({
    ...siteWide,
    'scipion:publicPort': httpsPort,
    'scipion:onedataCertificateAuthorities': onedata.caPem,
  }))
    project.setIn(['config', key], typeof value === 'object' ? { value } : value);
  await writeFile(file, project.toString());
  const engine = await ensureEngine(() => {});
  environment = {
    ...engineEnvironment(engine),
    PATH: [dirname(engine.command), dirname(process.execPath), process.env.PATH].join(delimiter),
    PULUMI_BACKEND_URL: `file://${site}`,
    PULUMI_CONFIG_PASSPHRASE: 'of this test alone',
    // What a person answers at the terminal.
    PULUMI_SKIP_CONFIRMATIONS: 'true',
    KUBECONFIG: kubeconfigPath,
  };
});

afterAll(async () => {
  await rm(site, { recursive: true, force: true });
});

test('the commands of the README make an instance on a cluster of one’s own, which goes on when its stack is renamed, and its removal leaves nothing', async () => {
  const answers: Readonly<Record<string, string>> = {
    'scipion:sourceSpaceId': onedata.sourceSpaceId,
    'scipion:projectSpaceId': onedata.projectSpaceId,
    'scipion:sourceToken': onedata.sourceToken,
    'scipion:projectToken': onedata.projectToken,
  };
  const commands = await commandsOf('Use it on your cluster');
  expect(commands.at(0)).toBe('npm ci');
  expect(commands.at(-1)).toBe('pulumi up');
  for (const command of commands) {
    const key = /scipion:\w+/.exec(command)?.[0] ?? '';
    const line = command
      .replace('…', answers[key] ?? '')
      .replace('provider.example.org', onedata.providerHost);
    await shell(line, command.includes('--secret') ? answers[key] : '');
  }
  expect(await shell('pulumi stack output url')).toMatch(
    new RegExp(`^https://scipion\\.${STACK}\\.localhost`),
  );
  const password = await shell(await shell('pulumi stack output passwordCommand'));
  expect(password.trim().length).toBeGreaterThan(15);
  await kubectl(await target(), [
    ...['--namespace', STACK, 'wait', '--for=condition=Ready', 'pod/scipion-0', '--timeout=300s'],
  ]);

  const pod = ['--namespace', STACK, 'get', 'pod', 'scipion-0', '--output', 'jsonpath={.metadata.uid}'];
  const before = await kubectl(await target(), pod);
  await shell(`pulumi stack rename ${RENAMED} --stack ${STACK}`);
  const way = `pulumi config set scipion:namespace ${STACK} --stack ${RENAMED}`;
  await expect(shell(`pulumi up --stack ${RENAMED}`)).rejects.toThrow(way);
  await shell(way);
  await shell(`pulumi up --stack ${RENAMED}`);
  await shell(`pulumi preview --expect-no-changes --stack ${RENAMED}`);
  expect(await kubectl(await target(), pod)).toBe(before);

  await shell(`npm run destroy -- --stack ${RENAMED}`);
  expect(await kubeNamespaces()).not.toContain(STACK);
});
