import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { changedFiles, findPullRequest, type GitHub, putComment, type WorkflowRun } from '../github.ts';
import { MARKER } from '../report.ts';

const SHA = 'a'.repeat(40);
const run: WorkflowRun = {
  event: 'pull_request',
  head_sha: SHA,
  head_branch: 'fix/quota',
  head_repository: { owner: { login: 'fork-owner' } },
};

let server: Server;
let github: GitHub;
let requests: string[];
let answers: Record<string, unknown>;

beforeEach(async () => {
  requests = [];
  answers = {};
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      const line = `${request.method} ${request.url}`;
      requests.push(body ? `${line} ${body}` : line);
      const answer = answers[line];
      response.statusCode = answer === undefined ? 403 : 200;
      response.end(JSON.stringify(answer ?? { message: 'Resource not accessible by integration' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  github = { api: `http://127.0.0.1:${port}`, repository: 'lab/instances', token: 'token' };
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

const PULLS = 'GET /repos/lab/instances/pulls?state=open&per_page=100&head=fork-owner%3Afix%2Fquota';
const COMMENTS = 'GET /repos/lab/instances/issues/7/comments?per_page=100&page=1';

describe('the pull request of a run', () => {
  test('is the open one whose head is the commit that ran', async () => {
    answers[PULLS] = [
      { number: 3, head: { sha: 'b'.repeat(40) } },
      { number: 7, head: { sha: SHA } },
    ];
    expect(await findPullRequest(github, run)).toBe(7);
  });

  test('is none when it has moved on', async () => {
    answers[PULLS] = [{ number: 3, head: { sha: 'b'.repeat(40) } }];
    expect(await findPullRequest(github, run)).toBeUndefined();
  });
});

test('changed files are asked for page by page, old names too', async () => {
  const files = (page: number) => `GET /repos/lab/instances/pulls/7/files?per_page=100&page=${page}`;
  answers[files(1)] = Array.from({ length: 100 }, (_, number) => ({ filename: `f${number}` }));
  answers[files(2)] = [{ filename: 'new.ts', previous_filename: '.github/workflows/preview.yml' }];
  const found = await changedFiles(github, 7);
  expect(found).toHaveLength(102);
  expect(found.slice(-2)).toEqual(['new.ts', '.github/workflows/preview.yml']);
});

describe('the comment', () => {
  const body = JSON.stringify({ body: `${MARKER}\ntext` });

  test('is new the first time', async () => {
    answers[COMMENTS] = [{ id: 1, body: `${MARKER} written by a person`, user: { type: 'User' } }];
    answers['POST /repos/lab/instances/issues/7/comments'] = { id: 2 };
    await putComment(github, 7, 'text');
    expect(requests).toEqual([COMMENTS, `POST /repos/lab/instances/issues/7/comments ${body}`]);
  });

  test('is edited from then on', async () => {
    answers[COMMENTS] = [{ id: 2, body: `${MARKER}\nold`, user: { type: 'Bot' } }];
    answers['PATCH /repos/lab/instances/issues/comments/2'] = { id: 2 };
    await putComment(github, 7, 'text');
    expect(requests[1]).toBe(`PATCH /repos/lab/instances/issues/comments/2 ${body}`);
  });

  test('a refusal says what is missing, without the token', async () => {
    const refusal = putComment(github, 7, 'text');
    await expect(refusal).rejects.toThrow(/GitHub answered 403 .*may write to pull requests/);
  });
});

describe('the command', () => {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const event = { workflow_run: { ...run, html_url: 'https://github.com/lab/instances/actions/runs/9' } };
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'preview-comment-'));
    writeFileSync(join(folder, 'event.json'), JSON.stringify(event));
    answers[PULLS] = [{ number: 7, head: { sha: SHA } }];
    answers[COMMENTS] = [];
    answers['POST /repos/lab/instances/issues/7/comments'] = { id: 2 };
    answers['GET /repos/lab/instances/pulls/7/files?per_page=100&page=1'] = [
      { filename: 'automation/preview/report.ts' },
      { filename: 'stacks/Pulumi.ada.yaml' },
    ];
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const comment = async () => {
    await promisify(execFile)(process.execPath, [main, 'comment', '--report', join(folder, 'preview.json')], {
      env: {
        ...process.env,
        GITHUB_API_URL: github.api,
        GITHUB_EVENT_PATH: join(folder, 'event.json'),
        GITHUB_REPOSITORY: github.repository,
        GITHUB_TOKEN: github.token,
      },
    });
    return requests.find((line) => line.startsWith('POST')) ?? '';
  };

  test('names commit and guards by what GitHub says, whatever the report does', async () => {
    writeFileSync(join(folder, 'preview.json'), JSON.stringify({ because: 'nothing to see', stacks: [] }));
    const written = await comment();
    expect(written).toContain('### Preview of the stacks at aaaaaaaaaaaa');
    expect(written).toContain('**Look first:**');
    expect(written).toContain('`automation/preview/report.ts`.');
    expect(written).toContain('nothing to see');
  });

  test('says that there is no report where the run has left none', async () => {
    const written = await comment();
    expect(written).toContain('### Preview of the stacks at aaaaaaaaaaaa');
    expect(written).toContain('**There is none:**');
    expect(written).toContain('actions/runs/9');
  });
});
