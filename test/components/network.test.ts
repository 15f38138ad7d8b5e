import { BlockList } from 'node:net';
import { expect, test } from 'vitest';
import { instancePolicyManifest } from '../../components/manifests/network.ts';
import { instanceConfig } from '../helpers/instance-config.ts';

type Peers = ReturnType<typeof instancePolicyManifest>['spec']['egress'];

/** Whether a rule lets an address through, by its blocks. */
function reaches(rules: Peers, address: string): boolean {
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  const has = (cidr: string) => {
    const [network = '', prefix] = cidr.split('/');
    if (network.includes(':') !== address.includes(':')) return false;
    const list = new BlockList();
    list.addSubnet(network, Number(prefix), family);
    return list.check(address, family);
  };
  return rules
    .flatMap(({ to }) => to)
    .some((peer) => {
      if (!('ipBlock' in peer)) return false;
      const { cidr, except = [] } = peer.ipBlock as { cidr: string; except?: string[] };
      return has(cidr) && !except.some(has);
    });
}

test('the network is closed but for the gateway, DNS and Onedata', () => {
  const open = instancePolicyManifest(
    instanceConfig({ onedataHost: 'one.example:8443', onedataPorts: '[6665,443]' }),
  );
  expect(open.spec.policyTypes).toEqual(['Ingress', 'Egress']);
  expect(open.spec.ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 8080 }] }]);
  expect(open.spec.egress[1]?.ports?.map(({ port }) => port)).toEqual([443, 6665, 8443]);
  const narrow = instancePolicyManifest(instanceConfig({ ingressNamespaces: '["ingress"]' }));
  expect(narrow.spec.ingress[0]).toHaveProperty('from');
});

test('no address at which a cloud hands out credentials can be reached, whatever a site opens', () => {
  const metadata = [
    ...['169.254.169.254', '169.254.170.2', '100.100.100.200', '192.0.0.192', '168.63.129.16'],
    ...['fd00:ec2::254', 'fd20:ce::254'],
  ];
  const all = '["0.0.0.0/0","::/0","169.254.0.0/15","168.63.129.0/24","100.64.0.0/10"]';
  const signIn = { signInIssuer: 'https://login.example.org', signInClientId: 'x', signInUsers: '["a"]' };
  for (const changes of [
    {},
    { onedataNetworks: all },
    { ...signIn, signInNetworks: all },
    { httpProxy: 'http://proxy.example.org:3128' },
  ]) {
    const { egress } = instancePolicyManifest(instanceConfig(changes)).spec;
    expect(egress.filter(({ to }) => to.length === 0)).toEqual([]);
    expect(metadata.filter((address) => reaches(egress.slice(1), address))).toEqual([]);
  }
});

test('a rule without peers, which would open every address, is never made', () => {
  const closed = { ...instanceConfig(), onedataNetworks: ['168.63.129.16/32'] };
  expect(() => instancePolicyManifest(closed)).toThrow(
    'found the networks 168.63.129.16/32, expected one that is not closed always',
  );
  const proxy = { ...instanceConfig(), httpProxy: 'http://169.254.169.254:80' };
  expect(() => instancePolicyManifest(proxy)).toThrow('would open every address');
});

test('Onedata is in the internet, or where the site says, and only the resolver is asked for names', () => {
  const egressOf = (changes = {}) => instancePolicyManifest(instanceConfig(changes)).spec.egress;
  expect(reaches(egressOf().slice(1), '203.0.113.7')).toBe(true);
  expect(
    ['10.1.2.3', '172.20.0.1', '192.168.1.1', 'fd12::1'].filter((one) => reaches(egressOf().slice(1), one)),
  ).toEqual([]);
  const inside = egressOf({ onedataNetworks: '["10.1.0.0/16"]' }).slice(1);
  expect([reaches(inside, '10.1.2.3'), reaches(inside, '203.0.113.7')]).toEqual([true, false]);
  expect(JSON.stringify(egressOf({ dnsNamespaces: '["openshift-dns"]' })[0])).toContain('openshift-dns');
  expect(egressOf()[0]?.to).toHaveLength(3);
});

test('a sign-in server is reached at its port, in the internet or where the site says', () => {
  const last = (changes = {}) => {
    const signIn = {
      signInIssuer: 'https://login.example.org:8443/realm',
      signInClientId: 'x',
      signInUsers: '["a"]',
    };
    return instancePolicyManifest(instanceConfig({ ...signIn, ...changes })).spec.egress.slice(2);
  };
  expect(last()).toHaveLength(1);
  expect(last()[0]?.ports).toEqual([{ protocol: 'TCP', port: 8443 }]);
  expect([reaches(last(), '203.0.113.7'), reaches(last(), '10.1.2.3')]).toEqual([true, false]);
  const inside = last({ signInNetworks: '["10.1.0.0/16"]', signInIssuer: 'https://login.example.org' });
  expect([reaches(inside, '10.1.2.3'), reaches(inside, '203.0.113.7')]).toEqual([true, false]);
  expect(inside[0]?.ports).toEqual([{ protocol: 'TCP', port: 443 }]);
  expect(instancePolicyManifest(instanceConfig()).spec.egress).toHaveLength(2);
});

test('metrics are for the monitoring that the site names, and for nobody else', () => {
  const ingressOf = (changes = {}) => instancePolicyManifest(instanceConfig(changes)).spec.ingress;
  expect(ingressOf()).toHaveLength(1);
  expect(ingressOf({ metricsNamespaces: '["monitoring"]' })[1]).toMatchObject({
    from: [{ namespaceSelector: { matchExpressions: [{ operator: 'In', values: ['monitoring'] }] } }],
    ports: [{ port: 8081 }, { port: 8082 }],
  });
});
