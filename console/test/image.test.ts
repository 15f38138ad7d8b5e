import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { runProgram } from '../../automation/recording/index.ts';
import { buildApp } from '../image/build.ts';

/** What is packed into the image, in a folder from which nothing of this repository can be found. */

test('the console starts from what is packed, and the program of an instance runs from it', async () => {
  const app = mkdtempSync(join(tmpdir(), 'console-image-'));
  try {
    await buildApp(app);
    const node = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;
    const main = join(app, 'console', 'src', 'main.ts');
    const wrong = await execa(node[0], [node[1], main, '--config', join(app, 'none.json')], {
      cwd: tmpdir(),
      reject: false,
    });
    // All that it imports is there: it has come as far as its configuration.
    expect([wrong.exitCode, wrong.stderr]).toEqual([
      1,
      expect.stringContaining('ENOENT. Expected: a file as docs/console.md shows'),
    ]);
    const run = await runProgram({
      directory: app,
      stack: 'jane',
      stackFile: false,
      config: { onedataHost: 'provider.example.org', sourceSpaceId: 'a', projectSpaceId: 'b' },
      secretConfig: { sourceToken: 'placeholder-source-token', projectToken: 'placeholder-project-token' },
    });
    expect(run.errors).toEqual([]);
    expect(run.registrations.filter(({ type }) => type.startsWith('kubernetes:')).length).toBeGreaterThan(12);
  } finally {
    rmSync(app, { recursive: true, force: true });
  }
}, 600_000);
