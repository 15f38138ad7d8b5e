import { expect, test } from 'vitest';
import { type RunOnStack, takeOver } from '../../automation/engine/index.ts';
import { hashPassword } from '../../sidecar/contract/password-hash.ts';
import { drawnNames, drawnOf, GATEWAY } from '../../stacks/drawn-credentials.ts';

/** What a take-over writes of what was drawn, on recorded answers of the command; that it takes them is seen end to end. */

const base64 = (content: string | Buffer) => Buffer.from(content).toString('base64');
const urn = (type: string, name: string) => `urn:pulumi:jane::scipion::${type}::${name}`;
const provider = (kind: string) =>
  `${urn(`pulumi:providers:${kind}`, 'default_4_1_0')}::04da6b54-80e4-46f7-96ec-b56ff0331ba9`;
const HIDDEN = '4dabf18193072939515e22adb298388d';
const hidden = (value: unknown) => ({
  [HIDDEN]: '1b47061264138c4ac30d75fd1eb44270',
  plaintext: JSON.stringify(value),
});

const PASSWORD = 'random:index/randomPassword:RandomPassword';
const BYTES = 'random:index/randomBytes:RandomBytes';
const SECRET = 'kubernetes:core/v1:Secret';
const names = drawnNames(GATEWAY);
const planned = [
  { type: 'pulumi:pulumi:Stack', name: 'scipion-jane', custom: false },
  ...[names.salt, names.sessionKey].map((name) => ({ type: BYTES, name, inputs: { length: 32 } })),
  { type: PASSWORD, name: names.password, inputs: { length: 24 } },
  { type: SECRET, name: GATEWAY, inputs: { metadata: { name: GATEWAY, namespace: 'jane' } } },
].map(
  ({
    type,
    name,
    custom = true,
    inputs,
  }: {
    type: string;
    name: string;
    custom?: boolean;
    inputs?: object;
  }) => ({
    op: 'create',
    urn: urn(type, name),
    newState: {
      ...{ type, custom, inputs, urn: urn(type, name), dependencies: [] },
      ...(custom ? { provider: provider(type.split(':')[0] ?? '') } : {}),
    },
  }),
);

interface Written {
  readonly type: string;
  readonly urn: string;
  readonly id?: string;
  readonly provider?: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** The state that a take-over leaves, where the living Secret holds this hash. @param before what it knew */
async function taken(hash: string, before: readonly Written[] = []): Promise<readonly Written[]> {
  let state: { deployment: { resources: Written[] } } = { deployment: { resources: [...before] } };
  const data = hidden({ 'password-hash': base64(hash), 'session-key': base64(base64(Buffer.alloc(32, 7))) });
  const run: RunOnStack = async (args, { input, isTakingOver } = {}) => {
    if (args[1] === 'import') state = JSON.parse(input ?? '');
    if (args[0] === 'refresh') {
      const [secret] = state.deployment.resources.filter(({ type }) => type === SECRET);
      Object.assign(secret ?? {}, { outputs: { metadata: { name: GATEWAY }, data } });
    }
    const known = state.deployment.resources.map((each) => each.urn);
    // As a preview tells it: what stays as it is, is not among the steps.
    const steps = isTakingOver ? planned.filter((step) => !known.includes(step.urn)) : [];
    const answer = args[0] === 'preview' ? { steps } : args[1] === 'export' ? state : {};
    return { stdout: JSON.stringify(answer), stderr: '', exitCode: 0 };
  };
  await takeOver(run, () => {}, drawnOf);
  return state.deployment.resources;
}

test('password, salt and session key go on as they are in use, as secrets of the new state', async () => {
  const salt = Buffer.alloc(16, 3);
  const hash = await hashPassword('of its user alone', salt);
  const resources = await taken(hash);
  const outputsOf = (name: string) => resources.find((each) => each.urn.endsWith(`::${name}`))?.outputs;
  expect(outputsOf(names.password)).toEqual({ length: 24, result: hidden(hash) });
  expect(outputsOf(names.salt)?.base64).toEqual(hidden(base64(salt)));
  expect(outputsOf(names.sessionKey)?.base64).toEqual(hidden(base64(Buffer.alloc(32, 7))));
  const drawn = resources.findIndex(({ type }) => type === PASSWORD);
  const own = resources.findIndex(({ type }) => type === 'pulumi:providers:random');
  expect(resources[drawn]?.provider).toBe(`${resources[own]?.urn}::${resources[own]?.id}`);
  expect(own, 'the provider stands before what refers to it').toBeLessThan(drawn);
});

test('where the living Secret tells nothing the next up draws, and the state has no more than the objects', async () => {
  const types = (await taken('not a hash')).map(({ type }) => type);
  expect(types).toEqual(['pulumi:pulumi:Stack', 'pulumi:providers:kubernetes', SECRET]);
});

test('what an up that was refused has left in the state is planned anew', async () => {
  const left = planned.flatMap(({ urn, newState }) =>
    newState.type === SECRET ? [] : [{ ...newState, urn }],
  );
  const hash = await hashPassword('of its user alone', Buffer.alloc(16, 3));
  const urns = (await taken(hash, left)).map(({ urn }) => urn);
  expect(urns).toEqual((await taken(hash)).map(({ urn }) => urn));
  expect(urns[0], 'the parent of all').toMatch(/::pulumi:pulumi:Stack::/);
});

test('a take-over that fails leaves the state as it was', async () => {
  const before = { deployment: { resources: [{ type: 'pulumi:pulumi:Stack', urn: 'a' }] } };
  let state = JSON.stringify(before);
  const run: RunOnStack = async (args, { input } = {}) => {
    if (args[0] === 'preview') throw new Error('refused');
    if (args[1] === 'import') state = input ?? '';
    return { stdout: state, stderr: '', exitCode: 0 };
  };
  await expect(takeOver(run, () => {}, drawnOf)).rejects.toThrow('refused');
  expect(JSON.parse(state)).toEqual(before);
});
