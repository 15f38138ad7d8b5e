import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { judge } from '../../stacks/judge.ts';
import { SETTING_FIELDS } from '../../stacks/schema.ts';
import { CERTIFICATE } from '../helpers/certificate.ts';
import { rawStack } from '../helpers/raw-stack.ts';

/** The command in a refusal, typed as it is printed, takes that refusal away; or there is none, and a sentence instead. */

type Changes = Readonly<Record<string, string | undefined>>;

const LONG = JSON.stringify([{ name: 'references', mountPath: '/relative'.repeat(9), claim: 'references' }]);
const JUNK = ['\u0001', 'no', 'True', 'off', '0', 'yes', 'null', '99999', '16 GiB', '[]', '[{}]', '{"a":1}'];
JUNK.push('x'.repeat(400), "it's", '$(id)', '-1', LONG);

const EXISTING = { createNamespace: 'false', sourceToken: undefined, projectToken: undefined };
const TOGETHER: Changes[] = [
  { cpuLimit: '9', cpuGuaranteed: '10' },
  { cpuLimit: '0.5', cpuGuaranteed: '0.7' },
  { quotaCpuGuaranteed: '2', quotaCpuLimit: '3' },
  { quotaCpuGuaranteed: '20', quotaCpuLimit: '15' },
  { cpuGuaranteed: '5', quotaCpuGuaranteed: '3' },
  { projectSpaceId: 'source-space' },
  { projectSpaceId: 'source-space', sourceSpaceId: 'source-space' },
  { sourceSpaceId: 'ID-OF-THE-PROJECT-SPACE', projectSpaceId: 'ID-OF-THE-PROJECT-SPACE' },
  { ...EXISTING, sourceMount: 'claim/a', projectMount: 'claim/a' },
  { ...EXISTING, sourceMount: 'claim/scipion-source', projectMount: 'claim/b' },
  { onedataHost: undefined, projectMount: 'csi-onedata' },
  { sourceExclude: '["**"]' },
  { onedataSecret: 'a', sourceToken: undefined, projectToken: undefined },
  { sourceSecret: 'a', sourceToken: undefined },
  { projectSecret: 'a', projectToken: undefined },
  { sourceMount: 'claim/a', sourceToken: undefined },
  { ...EXISTING, sourceMount: 'claim/a', projectMount: 'claim/b', sourceSecret: 'a' },
  { tlsSecretName: 'scipion-gateway' },
  { imagePullSecret: 'scipion-onedata' },
  { domain: `${'a.'.repeat(120)}org` },
  { gateway: 'a/b', tlsIssuer: 'le' },
  { gateway: 'a/b', waitForIngress: 'true' },
  { gateway: 'a/b', ingressAnnotations: '{"a":"b"}' },
  { networkIsolation: 'false', ingressNamespaces: '["a"]' },
  { signInIssuer: 'https://login.example.org' },
  { signInUsers: '["a"]' },
  { passwordLogin: 'false' },
  { onedataHost: '10.0.0.5', onedataNetworks: '["192.0.2.0/24"]' },
  { onedataHost: '169.254.169.254' },
  { signInIssuer: 'https://10.0.0.1', signInClientId: 'x', signInUsers: '["a"]' },
  { signInScopes: '["openid"]', signInUserClaim: 'email', signInClientId: 'x' },
  { tlsIssuer: 'le', ingressAnnotations: '{"cert-manager.io/issuer":"a","b":"c"}' },
  { gateway: 'a/b', tlsSecretName: 'x' },
  { networkIsolation: 'false', onedataPorts: '[9443]', dnsNamespaces: '["a"]' },
  { ...EXISTING, onedataSecret: 'a', sourceSecret: 'b', projectSecret: 'c' },
  {
    ...EXISTING,
    sourceMount: 'claim/raw',
    projectMount: 'claim/b',
    extraVolumes: '[{"name":"a","mountPath":"/a","claim":"raw","writable":true}]',
  },
  { sourceInclude: '["raw"]', sourceExclude: '["raw"]' },
  { extraVolumes: '[{"name":"a","mountPath":"/a","claim":"scipion-project"}]' },
];

/** Values of the commands, as a shell hands them to `pulumi config set KEY VALUE`. */
function typed(commands: readonly string[]): Map<string, readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'printed-'));
  try {
    writeFileSync(join(folder, 'authorities.pem'), CERTIFICATE);
    const script = `pulumi() { for word in "$@"; do printf '%s\\036' "$word"; done; printf '\\035'; }\n${commands.join('\n')}\n`;
    const out = execFileSync('sh', [], { cwd: folder, input: script, encoding: 'utf8' });
    const calls = out.split('\u001d').slice(0, -1);
    return new Map(commands.map((each, index) => [each, (calls[index] ?? '').split('\u001e').slice(0, -1)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const COMMAND = /(?:set it|take it away|remove it): (pulumi config .*)$/s;
const whatIsWrong = (line: string) => line.replace(/; (set it|take it away)\b.*$/s, '');

const isOf = (line: string, key: string) => line.startsWith(`scipion:${key}:`);

test('every printed command helps', () => {
  const keys = Object.keys(SETTING_FIELDS);
  const cases = [...keys.flatMap((key) => JUNK.map((value) => ({ [key]: value }))), ...TOGETHER];
  const refusals = cases.flatMap((changes: Changes) => {
    const raw = rawStack(changes);
    return judge(raw).problems.map((line) => ({ raw, line, command: COMMAND.exec(line)?.[1] }));
  });
  const calls = typed([...new Set(refusals.flatMap(({ command }) => command ?? []))]);
  const useless = refusals.filter(({ raw, line, command }) => {
    if (command === undefined) return !/; set it to what you mean, or change what it contradicts$/.test(line);
    const [config, verb, name = '', value = '', ...more] = calls.get(command) ?? [];
    const key = name.slice('scipion:'.length);
    // A secret is asked for when the command runs.
    if (verb === 'set' && name === '--secret') return false;
    const changed = verb === 'set' ? { [key]: value } : { [key]: undefined };
    const rest = verb === 'set' ? more : [value, ...more];
    if (config !== 'config' || !['set', 'rm'].includes(verb ?? '') || rest.join(' ') !== '--stack jane')
      return true;
    const after = judge(rawStack({ ...raw.values, ...changed })).problems.map(whatIsWrong);
    return after.includes(whatIsWrong(line)) || (verb === 'set' && after.some((other) => isOf(other, key)));
  });
  expect(useless.map(({ line }) => line)).toEqual([]);
  expect(refusals.length).toBeGreaterThan(500);
});

describe('what cannot be taken back is offered by no command', () => {
  const commandOf = (key: string, value: string) =>
    COMMAND.exec(judge(rawStack({ [key]: value })).problems[0] ?? '')?.[1];

  test.each(['paused', 'discardUnsavedChanges'])('%s', (key) => {
    for (const value of ['no', 'off', '0', 'False', 'FALSE ', 'n'])
      expect([value, commandOf(key, value)]).toEqual([
        value,
        `pulumi config set scipion:${key} false --stack jane`,
      ]);
    for (const value of [...JUNK, 'yes', 'on', '1', 'TRUE', 'truee'])
      expect([value, commandOf(key, value) ?? 'none']).not.toEqual([value, expect.stringContaining('true')]);
    expect(commandOf(key, 'yes')).toBeUndefined();
  });

  test.each([
    ['projectVolumeSize', '600 GB', '600G'],
    ['sourceVolumeSize', 'huge', "''"],
    ['keepSavesSize', '5 rooms', "''"],
    ['keepDailySaves', '400 days', "''"],
    ['networkIsolation', 'no', 'false'],
    ['networkIsolation', 'maybe', 'true'],
    ['createNamespace', 'maybe', 'true'],
    ['tlsIssuer', 'null', "''"],
  ])('%s %s: %s', (key, value, better) =>
    expect(commandOf(key, value)).toBe(`pulumi config set scipion:${key} ${better} --stack jane`),
  );
});
