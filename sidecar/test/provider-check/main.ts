#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { checkToken } from '../../src/spaces/onedata/index.ts';
import { isSpaceError } from '../../src/spaces/space.ts';
import { type CheckCase, openCase } from './check-case.ts';

interface Options {
  readonly host: string;
  readonly space: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
}

/** A problem of the caller's: one sentence, no stack. */
class Refusal extends Error {}

const say = (line: string) => process.stdout.write(`${line}\n`);

/** From the file, a pipe, or typed without being shown. */
async function readToken({ token, tokenFile }: Options): Promise<string> {
  if (token !== undefined) {
    throw new Refusal(
      'A token as an argument can be read by everyone on this machine. Give --token-file, or the token on the standard input.',
    );
  }
  if (tokenFile !== undefined) {
    return (
      await readFile(tokenFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
        throw new Refusal(`The token cannot be read from ${tokenFile}: ${error.code}.`);
      })
    ).trim();
  }
  if (!process.stdin.isTTY) return (await text(process.stdin)).trim();
  process.stderr.write('Token (not shown): ');
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: unseen, terminal: true });
  const typed = await new Promise<string>((resolve) => prompt.question('', resolve));
  prompt.close();
  process.stderr.write('\n');
  return typed.trim();
}

async function assertUsable(given: CheckCase, token: string): Promise<void> {
  const { host, spaceId, certificateAuthorities } = given;
  const { problem, expiresAt } = await checkToken({
    host,
    spaceId,
    token: async () => token,
    use: 'write',
    ...(certificateAuthorities === undefined ? {} : { certificateAuthorities }),
  });
  if (problem) throw new Refusal(problem.message);
  say(`The token is good for writing, and ends ${expiresAt ? `at ${expiresAt.toISOString()}` : 'never'}.`);
}

/** The same tests as against the emulator. Answers whether all of them passed. */
async function runContract(caseFile: string): Promise<boolean> {
  const here = dirname(fileURLToPath(import.meta.url));
  const root = join(here, '../../..');
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  const child = spawn(process.execPath, [vitest, 'run', '--config', join(here, 'vitest.config.ts')], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ONEDATA_CHECK: caseFile },
  });
  // The tests get the signal themselves; what they leave is still to be removed here.
  const wait = () => say('Ending; the scratch folder is removed first.');
  process.on('SIGINT', wait);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  process.off('SIGINT', wait);
  return code === 0;
}

async function inScratchFolder(given: CheckCase, work: () => Promise<boolean>): Promise<boolean> {
  const space = openCase(given);
  try {
    await space.makeDirectory(given.folder);
    say(`Scratch folder in space ${given.spaceId}: ${given.folder}`);
    const isGood = await work();
    await space.removeTree(given.folder);
    const isLeft = (await space.stat({ path: given.folder })) !== null;
    say(isLeft ? `The folder ${given.folder} is still there: remove it.` : 'The scratch folder is removed.');
    return isGood && !isLeft;
  } finally {
    await space.close();
  }
}

async function check(options: Options): Promise<boolean> {
  const token = await readToken(options);
  const directory = await mkdtemp(join(tmpdir(), 'onedata-check-'));
  try {
    const tokenFile = join(directory, 'token');
    await writeFile(tokenFile, token, { mode: 0o600 });
    const given: CheckCase = {
      host: options.host,
      spaceId: options.space,
      tokenFile,
      folder: `scipion-instances-check-${randomBytes(6).toString('hex')}`,
      ...(options.caFile === undefined
        ? {}
        : { certificateAuthorities: await readFile(options.caFile, 'utf8') }),
    };
    await assertUsable(given, token);
    const caseFile = join(directory, 'case.json');
    await writeFile(caseFile, JSON.stringify(given));
    return await inScratchFolder(given, () => runContract(caseFile));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const program = new Command('onedata:check')
  .description(
    'Runs the tests that the emulator passes against a real Oneprovider, in a scratch folder that is made and removed.',
  )
  .requiredOption('--host <name>', 'host name of the Oneprovider, with :port where it is not 443')
  .requiredOption('--space <id>', 'id of a space that the token may write')
  .option('--token-file <file>', 'file with the access token; else it is read from the standard input')
  .option('--token <token>', 'refused: others can read arguments')
  .option('--ca-file <file>', 'PEM file of an authority that is not publicly known');

try {
  const isGood = await check(program.parse().opts<Options>());
  say(isGood ? 'The provider keeps the contract.' : 'The provider does not keep the contract; see above.');
  process.exitCode = isGood ? 0 : 1;
} catch (error) {
  if (!(error instanceof Refusal) && !isSpaceError(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
