import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type Registration, runProgram } from '../../local/engine/index.ts';
import { isProperties, Secret, Unknown, type Value } from '../../local/engine/values.ts';

/**
 * The same program under Pulumi's engine and under this one: both plan the same resources. Needs `pulumi` on PATH with
 * its plugins; no cluster (the provider renders to files), no account (state in a temporary folder).
 */
const root = fileURLToPath(new URL('../../', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'engine-compare-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const STACK = 'jane';
const CONFIG = {
  'scipion:domain': 'example.org',
  'scipion:ingressClass': 'nginx',
  'scipion:imageRepository': 'registry.example.org/scipion',
  'scipion:onedataHost': 'provider.example.org',
  'scipion:sourceSpaceId': 'source-space',
  'scipion:projectSpaceId': 'project-space',
};
const SECRETS = {
  'scipion:sourceToken': 'canary-source-token-0123456789',
  'scipion:projectToken': 'canary-project-token-0123456789',
};

/** Runs the CLI with a backend and a passphrase of its own, and the project's Node first on PATH. */
function pulumi(args: readonly string[], input = '') {
  return spawnSync('pulumi', [...args, '--non-interactive'], {
    cwd: join(place, 'program'),
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: {
      ...process.env,
      PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
      PULUMI_BACKEND_URL: `file://${join(place, 'backend')}`,
      PULUMI_CONFIG_PASSPHRASE: 'throw-away',
      PULUMI_SKIP_UPDATE_CHECK: 'true',
    },
  });
}

function copyProgram(): void {
  const program = join(place, 'program');
  for (const part of [
    'Pulumi.yaml',
    'package.json',
    'index.ts',
    'node-version.mjs',
    'components',
    'stacks',
    'sidecar/contract',
  ]) {
    cpSync(join(root, part), join(program, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(program, 'node_modules'));
  for (const folder of ['backend', 'rendered']) mkdirSync(join(place, folder));
  const config = { ...CONFIG, 'kubernetes:renderYamlToDirectory': join(place, 'rendered') };
  writeFileSync(join(program, 'stacks', `Pulumi.${STACK}.yaml`), stringify({ config }));
}

/** Why the comparison cannot be made here; undefined when it can. */
function obstacle(): string | undefined {
  const version = spawnSync('pulumi', ['version'], { encoding: 'utf8' });
  if (version.error) return '`pulumi` is not on PATH';
  return version.status === 0 ? undefined : `\`pulumi version\` ended with ${version.status}`;
}

interface Planned {
  readonly type: string;
  readonly parent?: string;
  readonly dependencies: readonly string[];
  readonly propertyDependencies: Readonly<Record<string, readonly string[]>>;
  readonly hooks: Readonly<Record<string, readonly string[]>>;
  readonly ignoreChanges: readonly string[];
  readonly inputs: unknown;
}

const UNKNOWN_TEXT = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

/** As `pulumi preview --json` prints values. */
function printed(value: Value): unknown {
  if (value instanceof Secret) return '[secret]';
  if (value instanceof Unknown) return UNKNOWN_TEXT;
  if (Array.isArray(value)) return value.map(printed);
  if (!isProperties(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, printed(part)]));
}

/**
 * What both engines must agree on. The Kubernetes provider turns `stringData` into `data`, the random provider adds its
 * defaults; both are taken out.
 */
function comparableInputs(type: string, inputs: Record<string, unknown>): unknown {
  if (type.startsWith('random:')) {
    const { length, special, overrideSpecial, keepers } = inputs;
    return { length, special: special ?? true, overrideSpecial, keepers };
  }
  const { stringData, data, ...others } = inputs;
  return type.endsWith(':Secret') ? { ...others, content: stringData ?? data } : inputs;
}

function sortedLists(map: Readonly<Record<string, readonly string[]>> = {}): Record<string, string[]> {
  const filled = Object.entries(map).filter(([, urns]) => urns.length > 0);
  return Object.fromEntries(filled.map(([key, urns]) => [key, urns.toSorted()]));
}

function ours(registrations: readonly Registration[]): Record<string, Planned> {
  const custom = registrations.filter((registration) => registration.custom);
  return Object.fromEntries(
    custom.map(({ urn, type, inputs, options }) => [
      urn,
      {
        type,
        ...(options.parent === undefined ? {} : { parent: options.parent }),
        dependencies: options.dependencies.toSorted(),
        propertyDependencies: sortedLists(options.propertyDependencies),
        hooks: sortedLists(options.hooks as Record<string, readonly string[]>),
        ignoreChanges: options.ignoreChanges,
        inputs: comparableInputs(type, printed(inputs) as Record<string, unknown>),
      },
    ]),
  );
}

/** The CLI prints `BeforeDelete` where the protocol says `beforeDelete`. */
function lowerKeys<T>(map: Readonly<Record<string, T>> = {}): Record<string, T> {
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => [key.charAt(0).toLowerCase() + key.slice(1), value]),
  );
}

interface PulumiStep {
  readonly op: string;
  readonly urn: string;
  readonly newState?: {
    readonly type: string;
    readonly custom: boolean;
    readonly parent?: string;
    readonly dependencies?: readonly string[];
    readonly propertyDependencies?: Readonly<Record<string, readonly string[]>>;
    readonly resourceHooks?: Readonly<Record<string, readonly string[]>>;
    readonly ignoreChanges?: readonly string[];
    readonly inputs?: Record<string, unknown>;
  };
}

function theirs(steps: readonly PulumiStep[]): Record<string, Planned> {
  const planned = steps.flatMap(({ urn, newState }) => {
    if (!newState?.custom || newState.type.startsWith('pulumi:')) return [];
    const { type, parent, dependencies = [], ignoreChanges = [], inputs = {} } = newState;
    const entry: Planned = {
      type,
      ...(parent === undefined ? {} : { parent }),
      dependencies: dependencies.toSorted(),
      propertyDependencies: sortedLists(newState.propertyDependencies),
      hooks: sortedLists(lowerKeys(newState.resourceHooks)),
      ignoreChanges,
      inputs: comparableInputs(type, inputs),
    };
    return [[urn, entry] as const];
  });
  return Object.fromEntries(planned);
}

test('both engines plan the same resources', async (context) => {
  const reason = obstacle();
  if (reason) {
    process.stderr.write(`comparison with Pulumi's engine skipped: ${reason}\n`);
    context.skip(reason);
  }
  copyProgram();
  const directory = join(place, 'program');
  const init = pulumi(['stack', 'init', STACK, '--no-select']);
  expect(init.stderr).not.toContain('error:');
  for (const [key, value] of Object.entries(SECRETS)) {
    expect(pulumi(['config', 'set', '--secret', key, '--stack', STACK], value).status).toBe(0);
  }
  const preview = pulumi(['preview', '--json', '--stack', STACK]);
  if (
    preview.status !== 0 &&
    /could not (load|find).*plugin|no resource plugin/i.test(preview.stdout + preview.stderr)
  ) {
    process.stderr.write(
      'comparison with Pulumi skipped: its plugins are not installed and could not be fetched\n',
    );
    context.skip('the plugins of the CLI are missing');
  }
  const plan = JSON.parse(preview.stdout) as {
    steps: PulumiStep[];
    diagnostics?: { severity: string; message: string }[];
  };
  expect(plan.diagnostics?.filter((entry) => entry.severity === 'error') ?? []).toEqual([]);
  expect(preview.status).toBe(0);

  const run = await runProgram({
    directory,
    stack: STACK,
    stackFile: false,
    config: CONFIG,
    secretConfig: SECRETS,
    dryRun: true,
  });
  expect(run.errors).toEqual([]);
  const mine = ours(run.registrations);
  expect(Object.keys(mine).length).toBeGreaterThan(10);
  expect(mine).toEqual(theirs(plan.steps));
  const components = run.registrations.filter((registration) => !registration.custom).map(({ urn }) => urn);
  const theirComponents = plan.steps.filter((step) => step.newState?.custom === false).map(({ urn }) => urn);
  expect(components.toSorted()).toEqual(theirComponents.toSorted());
});
