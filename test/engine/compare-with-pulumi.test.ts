import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { engineEnvironment, ensureEngine, runCommand } from '../../automation/engine/index.ts';
import { type Registration, runProgram } from '../../automation/recording/index.ts';
import { isProperties, Secret, Unknown, type Value } from '../../automation/recording/values.ts';

/**
 * The same program under Pulumi's engine and under the recording one: both plan the same resources. No cluster (the
 * provider renders to files), no account (state in a temporary folder).
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

const engine = await ensureEngine(() => {});

/** Runs Pulumi with a backend and a passphrase of its own. */
function pulumi(args: readonly string[], input = '') {
  return runCommand(engine, args, {
    directory: join(place, 'program'),
    input,
    environment: {
      ...engineEnvironment(engine),
      PULUMI_BACKEND_URL: `file://${join(place, 'backend')}`,
      PULUMI_CONFIG_PASSPHRASE: 'throw-away',
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

/** The provider writes quantities in the largest unit. */
function canonicalQuantity(text: string): string {
  const mebibytes = Number(/^(\d+)Mi$/.exec(text)?.[1]);
  return mebibytes > 0 && mebibytes % 1024 === 0 ? `${mebibytes / 1024}Gi` : text;
}

/** As `pulumi preview --json` prints values. */
function printed(value: Value): unknown {
  if (value instanceof Secret) return '[secret]';
  if (value instanceof Unknown) return UNKNOWN_TEXT;
  if (typeof value === 'string') return canonicalQuantity(value);
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
    if (!newState?.custom || newState.type.startsWith('pulumi:providers:')) return [];
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

test('both engines plan the same resources', async () => {
  copyProgram();
  const directory = join(place, 'program');
  await pulumi(['stack', 'init', STACK, '--no-select']);
  for (const [key, value] of Object.entries(SECRETS)) {
    await pulumi(['config', 'set', '--secret', key, '--stack', STACK], value);
  }
  const preview = await pulumi(['preview', '--json', '--stack', STACK]);
  const plan = JSON.parse(preview.stdout) as { steps: PulumiStep[] };

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
