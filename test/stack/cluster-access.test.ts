import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AccessSettings, clusterAccess } from '../../stacks/cluster-access.ts';
import { CERTIFICATE } from '../helpers/certificate.ts';

/** Kubeconfigs that lead nowhere, each with what is said of it. */

const SECRET = 'canary-credential-7f3';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const tokenUntil = (date: string) =>
  `${base64('{}')}.${base64(JSON.stringify({ exp: Date.parse(date) / 1000 }))}.${SECRET}`;
const NOW = new Date('2027-01-01T00:00:00Z');

const accessProblem = (settings: AccessSettings) => clusterAccess(settings).problem;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'cluster-access-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

interface Parts {
  readonly user?: object;
  readonly cluster?: object;
  readonly more?: object;
}
const kubeconfig = ({ user = { token: SECRET }, cluster = {}, more = {} }: Parts = {}) => ({
  clusters: [{ name: 'c', cluster: { server: 'https://api.example.org:6443', ...cluster } }],
  users: [{ name: 'u', user }],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
  'current-context': 'x',
  ...more,
});

function found(content: object | string, settings: AccessSettings = {}) {
  const path = join(home, 'kubeconfig');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return accessProblem({ environment: { KUBECONFIG: path, PATH: home }, home, now: NOW, ...settings });
}

test.each<[string, Parts]>([
  ['a token', {}],
  ['a token that ends later', { user: { token: tokenUntil('2027-01-02') } }],
  ['a token that says nothing of an end', { user: { token: 'a.b.c' } }],
  ['a client certificate', { user: { 'client-certificate-data': base64(CERTIFICATE) } }],
  ['a name and a password', { user: { username: 'jane', password: SECRET } }],
  ['a login of an older kind', { user: { 'auth-provider': { name: 'oidc' } } }],
  ['an authority', { cluster: { 'certificate-authority-data': base64(CERTIFICATE) } }],
  ['no user, where nobody logs in', { user: {}, cluster: { server: 'http://127.0.0.1:8080' } }],
])('nothing is said of %s', (_what, parts) => expect(found(kubeconfig(parts))).toBeUndefined());

test.each<[string, object | string, RegExp]>([
  [
    'no credentials',
    kubeconfig({ user: {} }),
    /^There are no credentials for user "u" in .*: expected a token, .*kubectl --context x auth whoami$/,
  ],
  ['a user that is not there', kubeconfig({ more: { users: [] } }), /^There are no credentials for user "u"/],
  [
    'a null where the user stands',
    kubeconfig({ more: { users: [{ name: 'u', user: null }] } }),
    /^There are no credentials/,
  ],
  ['an empty token', kubeconfig({ user: { token: '' } }), /^There are no credentials/],
])('%s is endless', (_what, content, words) => {
  const problem = found(content);
  expect(problem?.message).toMatch(words);
  expect(problem?.isEndless).toBe(true);
});

const missing = '/no/such/file';
test.each<[string, object | string, RegExp]>([
  [
    'no current context',
    kubeconfig({ more: { 'current-context': '' } }),
    /^No context is chosen in .*It has x\. Choose one: kubectl config use-context x/,
  ],
  ['an empty file', '', /^No context is chosen in .*It has none\. Fetch it again/],
  [
    'a context that is not there',
    kubeconfig({ more: { 'current-context': 'gone' } }),
    /^There is no context "gone" in .*It has x\./,
  ],
  [
    'a cluster that is not there',
    kubeconfig({ more: { clusters: [] } }),
    /names the cluster "c", which has no address there.*set-cluster c/,
  ],
  [
    'an authority that is none',
    kubeconfig({ cluster: { 'certificate-authority-data': base64(SECRET) } }),
    /^The certificate-authority of cluster "c" in .* is no certificate/,
  ],
  [
    'an authority whose file is gone',
    kubeconfig({ cluster: { 'certificate-authority': missing } }),
    /is not readable: \/no\/such\/file \(ENOENT\)/,
  ],
  [
    'a token that ended',
    kubeconfig({ user: { token: tokenUntil('2026-12-31') } }),
    /^The token of user "u" in .* ended at 2026-12-31T00:00:00\.000Z\. Log in/,
  ],
  [
    'a file of a token that is gone',
    kubeconfig({ user: { tokenFile: missing } }),
    /^The tokenFile of user "u"/,
  ],
  [
    'a client certificate that is none',
    kubeconfig({ user: { 'client-certificate-data': base64(SECRET) } }),
    /^The client-certificate of user "u" in .* is no certificate/,
  ],
  [
    'a key whose file is gone',
    kubeconfig({ user: { token: 'x', 'client-key': missing } }),
    /^The client-key of user "u"/,
  ],
  [
    'a login command that is not installed',
    kubeconfig({ user: { exec: { command: 'kubelogin', installHint: 'brew install it\nor so' } } }),
    /^The login command "kubelogin" of user "u" in .* is not on PATH\. Install it \(brew install it\), then check/,
  ],
  ['a login command without a name', kubeconfig({ user: { exec: {} } }), /^The login command "" of user "u"/],
  [
    'what is not YAML',
    `a: b\nc: [${SECRET}`,
    /is not YAML \(line \d\)\. Fetch it again .* kubectl config view$/,
  ],
  ['a list', '- a\n- b', /has another form than a kubeconfig\. /],
  [
    'clusters that are no list',
    kubeconfig({ more: { clusters: { c: SECRET } } }),
    /has another form than a kubeconfig \(at clusters\)/,
  ],
  [
    'a context without a name',
    kubeconfig({ more: { contexts: [{ context: {} }] } }),
    /\(at contexts\.0\.name\)/,
  ],
])('%s is told and ends', (_what, content, words) => {
  const problem = found(content);
  expect(problem?.message).toMatch(words);
  expect(problem?.isEndless).toBe(false);
  expect(problem?.message).not.toContain(SECRET);
  expect(problem?.message).not.toContain('\n');
});

test('a client certificate is told once it has ended, and with it when', () => {
  const content = kubeconfig({ user: { 'client-certificate-data': base64(CERTIFICATE) } });
  expect(found(content, { now: new Date('2200-01-01') })?.message).toMatch(
    /^The client certificate of user "u" in .* ended at 2126-11-05T22:25:19\.000Z\. Log in to the cluster again/,
  );
});

test('a folder, a file that is not there and one of several are told apart', () => {
  const at = (KUBECONFIG: string) => accessProblem({ environment: { KUBECONFIG }, home, now: NOW })?.message;
  expect(at(home)).toMatch(
    /cannot be read: found a folder, expected a file\. Name the file itself: export KUBECONFIG=FILE$/,
  );
  expect(at(join(home, 'none'))).toMatch(
    /^There is no kubeconfig: found none at .*none\. Get one .* export KUBECONFIG=FILE$/,
  );
  expect(at('')).toContain(join(home, '.kube', 'config'));
  writeFileSync(join(home, 'one'), JSON.stringify(kubeconfig()));
  expect(at(`${join(home, 'none')}:${join(home, 'one')}:`)).toBeUndefined();
  const inPod = { KUBECONFIG: join(home, 'none'), KUBERNETES_SERVICE_HOST: '10.0.0.1' };
  expect(accessProblem({ environment: inPod, home })).toBeUndefined();
});

test('of several files the first one that names something counts, and relative paths start at their file', () => {
  mkdirSync(join(home, 'b'));
  writeFileSync(
    join(home, 'a'),
    JSON.stringify({ 'current-context': 'x', users: [{ name: 'u', user: {} }] }),
  );
  const exec = { command: './login' };
  writeFileSync(join(home, 'b', 'b'), JSON.stringify(kubeconfig({ user: { exec } })));
  const both = { environment: { KUBECONFIG: `${join(home, 'a')}:${join(home, 'b', 'b')}` }, home };
  expect(accessProblem(both)?.isEndless).toBe(true);
  const second = { environment: { KUBECONFIG: join(home, 'b', 'b') }, home };
  expect(accessProblem(second)?.message).toContain('"./login"');
  writeFileSync(join(home, 'b', 'login'), '#!/bin/sh\n');
  chmodSync(join(home, 'b', 'login'), 0o755);
  expect(accessProblem(second)).toBeUndefined();
});

test('address and login command are told as the provider uses them', () => {
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: './login',
    args: ['--token'],
    env: [{ name: 'REALM', value: 'site' }],
  };
  writeFileSync(join(home, 'kubeconfig'), JSON.stringify(kubeconfig({ user: { exec } })));
  writeFileSync(join(home, 'login'), '#!/bin/sh\n', { mode: 0o755 });
  const environment = { KUBECONFIG: join(home, 'kubeconfig') };
  const { problem, address, login } = clusterAccess({ environment, home });
  expect(problem).toBeUndefined();
  expect(address).toBe('https://api.example.org:6443');
  expect(login).toMatchObject({ command: join(home, 'login'), args: ['--token'] });
  expect(login?.environment.REALM).toBe('site');
  expect(JSON.parse(login?.environment.KUBERNETES_EXEC_INFO ?? '')).toMatchObject({
    kind: 'ExecCredential',
    apiVersion: exec.apiVersion,
  });
});

test("a stack's own kubeconfig counts, as a path or as content, and so does its context", () => {
  const content = JSON.stringify(kubeconfig({ user: {} }));
  const environment = { KUBECONFIG: join(home, 'none') };
  expect(accessProblem({ kubeconfig: content, environment, home })?.message).toMatch(
    /^There are no credentials for user "u" in The kubeconfig in kubernetes:kubeconfig/,
  );
  expect(accessProblem({ kubeconfig: join(home, 'gone'), environment, home })?.message).toMatch(
    /^The kubeconfig .*gone of this stack is not there\. .*pulumi config rm kubernetes:kubeconfig$/,
  );
  expect(found(kubeconfig(), { context: 'other' })?.message).toMatch(/^There is no context "other"/);
});
