import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as pulumi from '@pulumi/pulumi';
import { afterEach, expect, test, vi } from 'vitest';
import { connect } from '../../components/cluster.ts';
import { proxyFor } from '../../components/proxy.ts';

const HTTPS_PROXY = 'http://proxy.example.org:3128';

afterEach(() => vi.unstubAllEnvs());

test.each<[string, NodeJS.ProcessEnv, string | undefined]>([
  ['https://api.example.org:6443', {}, undefined],
  ['https://api.example.org:6443', { HTTPS_PROXY }, HTTPS_PROXY],
  ['https://api.example.org:6443', { https_proxy: 'proxy.example.org:3128' }, HTTPS_PROXY],
  ['https://api.example.org:6443', { HTTP_PROXY: HTTPS_PROXY }, undefined],
  ['http://api.example.org', { HTTP_PROXY: HTTPS_PROXY }, HTTPS_PROXY],
  ['https://127.0.0.1:6443', { HTTPS_PROXY }, undefined],
  ['https://localhost:6443', { HTTPS_PROXY }, undefined],
  ['https://[::1]:6443', { HTTPS_PROXY }, undefined],
  ['https://api.example.org', { HTTPS_PROXY, NO_PROXY: '*' }, undefined],
  ['https://api.example.org', { HTTPS_PROXY, NO_PROXY: 'other.org, example.org' }, undefined],
  ['https://api.example.org', { HTTPS_PROXY, no_proxy: '.example.org' }, undefined],
  ['https://example.org', { HTTPS_PROXY, NO_PROXY: '.example.org' }, HTTPS_PROXY],
  ['https://api.example.org', { HTTPS_PROXY, NO_PROXY: 'ample.org' }, HTTPS_PROXY],
  ['https://api.example.org:6443', { HTTPS_PROXY, NO_PROXY: 'api.example.org:6443' }, undefined],
  ['https://api.example.org:6443', { HTTPS_PROXY, NO_PROXY: 'api.example.org:443' }, HTTPS_PROXY],
  ['https://10.1.2.3', { HTTPS_PROXY, NO_PROXY: '10.0.0.0/8' }, undefined],
  ['https://11.1.2.3', { HTTPS_PROXY, NO_PROXY: '10.0.0.0/8,10.0.0.0/99,::/0' }, HTTPS_PROXY],
  ['https://[fd00::7]', { HTTPS_PROXY, NO_PROXY: 'fd00::/8' }, undefined],
  ['https://10.1.2.3', { HTTPS_PROXY, NO_PROXY: '10.1.2.3' }, undefined],
  ['no address', { HTTPS_PROXY }, undefined],
])('%s with %o goes through %s', (address, environment, proxy) => {
  expect(proxyFor(address, environment)).toBe(proxy);
});

test('the hooks reach a cluster through the proxy of the environment', async () => {
  const asked: (string | undefined)[] = [];
  const proxy = createServer();
  proxy.on('connect', ({ url }, socket) => {
    asked.push(url);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  const kubeconfig = {
    clusters: [{ name: 'c', cluster: { server: 'https://api.example.org:6443' } }],
    users: [{ name: 'u', user: { token: 'none' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  pulumi.runtime.setAllConfig({ 'kubernetes:kubeconfig': JSON.stringify(kubeconfig) });
  const cluster = connect();
  await expect(cluster.pod('jane', 'scipion-0')).rejects.toThrow();
  const target = { namespace: 'jane', pod: 'scipion-0', container: 'sync', command: ['true'] };
  expect(await cluster.exec(target, () => {})).toMatchObject({ kind: 'lost' });
  expect(asked).toEqual(['api.example.org:6443', 'api.example.org:6443']);
  proxy.close();
});
