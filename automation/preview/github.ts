import * as z from 'zod';
import { EngineError } from '../recording/index.ts';
import { MARKER } from './report.ts';

/** The little of GitHub's REST API that a comment needs. @see https://docs.github.com/rest */
export interface GitHub {
  /** `https://api.github.com`, or that of an Enterprise server. */
  readonly api: string;
  /** `owner/name` of the repository that is commented in. */
  readonly repository: string;
  readonly token: string;
}

const pullsSchema = z.array(z.object({ number: z.int(), head: z.object({ sha: z.string() }) }));
const commentsSchema = z.array(
  z.object({ id: z.int(), body: z.string().nullish(), user: z.object({ type: z.string() }).nullish() }),
);

/** What `workflow_run` says of the run before; written by GitHub, not by the change. */
export const workflowRunSchema = z.object({
  workflow_run: z.object({
    event: z.string(),
    head_sha: z.string().regex(/^[0-9a-f]{40}$/),
    html_url: z.url().optional(),
    head_branch: z.string(),
    head_repository: z.object({ owner: z.object({ login: z.string() }) }),
  }),
});
export type WorkflowRun = z.infer<typeof workflowRunSchema>['workflow_run'];

async function request(github: GitHub, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${github.api}/repos/${github.repository}${path}`, {
    method,
    headers: {
      accept: 'application/vnd.github+json',
      authorization: `Bearer ${github.token}`,
      'x-github-api-version': '2022-11-28',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) {
    throw new EngineError(
      `GitHub answered ${response.status} to ${method} ${path}. Expected: the workflow's token may write to pull requests.`,
    );
  }
  return response.json();
}

/**
 * The open pull request whose head the run was for; undefined when it has moved on or was closed. It is looked up by
 * what GitHub says of the run: a number in the artifact could name any pull request.
 */
export async function findPullRequest(github: GitHub, run: WorkflowRun): Promise<number | undefined> {
  const head = encodeURIComponent(`${run.head_repository.owner.login}:${run.head_branch}`);
  const pulls = pullsSchema.parse(
    await request(github, 'GET', `/pulls?state=open&per_page=100&head=${head}`),
  );
  return pulls.find((pull) => pull.head.sha === run.head_sha)?.number;
}

const filesSchema = z.array(z.object({ filename: z.string(), previous_filename: z.string().optional() }));

/** As GitHub knows them: at most 3000, and the artifact has no say in it. */
export async function changedFiles(github: GitHub, pullRequest: number): Promise<string[]> {
  const found: string[] = [];
  for (let page = 1; page <= MAX_PAGES * 2; page++) {
    const path = `/pulls/${pullRequest}/files?per_page=${PAGE}&page=${page}`;
    const files = filesSchema.parse(await request(github, 'GET', path));
    for (const { filename, previous_filename: before } of files)
      found.push(filename, ...(before === undefined ? [] : [before]));
    if (files.length < PAGE) break;
  }
  return found;
}

/** Writes the comment, over the one of an earlier run where there is one. */
export async function putComment(github: GitHub, pullRequest: number, markdown: string): Promise<void> {
  const body = `${MARKER}\n${markdown}`;
  const earlier = await findComment(github, pullRequest);
  if (earlier === undefined) await request(github, 'POST', `/issues/${pullRequest}/comments`, { body });
  else await request(github, 'PATCH', `/issues/comments/${earlier}`, { body });
}

const PAGE = 100;
const MAX_PAGES = 20;

async function findComment(github: GitHub, pullRequest: number): Promise<number | undefined> {
  for (let page = 1; page <= MAX_PAGES; page++) {
    const path = `/issues/${pullRequest}/comments?per_page=${PAGE}&page=${page}`;
    const comments = commentsSchema.parse(await request(github, 'GET', path));
    const own = comments.find((comment) => comment.user?.type === 'Bot' && comment.body?.startsWith(MARKER));
    if (own) return own.id;
    if (comments.length < PAGE) return undefined;
  }
  return undefined;
}
