import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { lintWorkflows } from '../check-workflows.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(root, '.github', 'workflows');
const workflows = readdirSync(folder).map((name) => {
  const text = readFileSync(join(folder, name), 'utf8');
  return { name, text, content: parse(text) as Workflow };
});

interface Step {
  readonly uses?: string;
  readonly name?: string;
  readonly run?: string;
  readonly 'continue-on-error'?: boolean;
  readonly with?: Record<string, unknown>;
}
interface Job {
  readonly if?: string;
  readonly environment?: string;
  readonly permissions?: Record<string, string>;
  readonly concurrency?: Record<string, unknown>;
  readonly steps: readonly Step[];
}
interface Workflow {
  readonly on: unknown;
  readonly permissions: Record<string, string>;
  readonly concurrency?: Record<string, unknown>;
  readonly jobs: Record<string, Job>;
}

const jobs = workflows.flatMap(({ name, content }) =>
  Object.entries(content.jobs).map(([job, definition]) => ({
    name: `${name} ${job}`,
    job: definition,
    workflow: content,
  })),
);

describe('workflows', () => {
  test('pass actionlint', async () => {
    const result = await lintWorkflows(root);
    expect(result.output).toBe('');
    expect(result.isClean).toBe(true);
    expect(result.files.length).toBe(workflows.length);
  }, 300_000);

  test.each(jobs)('$name names every action by its commit and version', ({ job }) => {
    for (const step of job.steps) {
      if (step.uses) expect(step.uses).toMatch(/^[\w.-]+\/[\w.-]+@[0-9a-f]{40}$/);
    }
  });

  test('none gives code of a change the rights of the base', () => {
    for (const { content } of workflows) expect(content.on).not.toHaveProperty('pull_request_target');
  });

  test('jobs that run code of any pull request see no secret and write nothing', () => {
    const open = jobs.filter(
      ({ job, workflow }) =>
        Object.hasOwn(workflow.on as object, 'pull_request') && !job.environment && !job.if,
    );
    expect(open.map(({ name }) => name)).toEqual(['ci.yml check', 'preview.yml manifests']);
    for (const { job, workflow } of open) {
      expect(JSON.stringify(job)).not.toContain('secrets.');
      expect(job.permissions ?? workflow.permissions).toEqual({ contents: 'read' });
    }
  });

  test('secrets are seen only behind the protected environment, for branches of this repository', () => {
    const seeing = jobs.filter(({ job }) => JSON.stringify(job).includes('secrets.'));
    expect(seeing.map(({ name, job }) => `${name} in ${job.environment}`)).toEqual([
      'drift.yml drift in production',
      'preview.yml pulumi in preview',
      'rollout.yml rollout in production',
    ]);
    const { job } = seeing[1] as (typeof seeing)[0];
    expect(job.if).toContain('github.event.pull_request.head.repo.full_name == github.repository');
    expect(job.concurrency).toMatchObject({ 'cancel-in-progress': false });
    const pulumi = job.steps.find((step) => step.uses?.startsWith('pulumi/actions@'));
    expect(pulumi?.with).toMatchObject({
      command: 'preview',
      'comment-on-pr': true,
      'edit-pr-comment': true,
      'suppress-outputs': true,
    });
  });

  test('no shell line takes text of the change from an expression', () => {
    const lines = jobs.flatMap(({ job }) => job.steps.flatMap((step) => step.run ?? []));
    for (const line of lines) expect(line).not.toMatch(/\$\{\{/);
  });

  test('a base whose packages cannot be installed does not keep the change from its preview', () => {
    const preview = jobs.find(({ name }) => name === 'preview.yml manifests');
    const base = preview?.job.steps.find((step) => step.name === 'The base, to compare with');
    expect(base?.['continue-on-error']).toBe(true);
  });

  test('what changes instances runs after a merge only, one at a time and never cut off', () => {
    for (const file of ['rollout.yml', 'drift.yml']) {
      const workflow = workflows.find(({ name }) => name === file)?.content;
      expect(Object.keys(workflow?.on as object)).toEqual(
        file === 'rollout.yml' ? ['push'] : ['schedule', 'workflow_dispatch'],
      );
      expect(workflow?.concurrency).toMatchObject({ 'cancel-in-progress': false });
      expect(workflow?.permissions).toEqual({ contents: 'read' });
    }
  });

  test('what comments runs the default branch', () => {
    const comment = jobs.find(({ name }) => name.startsWith('preview-comment'));
    const checkout = comment?.job.steps.find((step) => step.uses?.startsWith('actions/checkout@'));
    expect(checkout?.with?.ref).toBe(`\${{ github.event.repository.default_branch }}`);
  });
});
