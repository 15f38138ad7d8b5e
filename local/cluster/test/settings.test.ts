import { describe, expect, test } from 'vitest';
import { countingProgress } from '../../../automation/tools/go.ts';
import { configurationFiles } from '../configuration.ts';
import { kubeconfig } from '../credentials.ts';
import { layoutOf } from '../layout.ts';
import { nodeImage } from '../node-image.ts';
import { everythingElse, foundation } from '../programs.ts';
import { refuseOtherPorts } from '../start.ts';
import { describeDeath, runScript } from '../supervisor.ts';

const ports = { https: 18443, api: 16443 };
const programs = [...foundation(ports), ...everythingElse(ports)];
const files = configurationFiles(layoutOf('/somewhere/.local/cluster'));
const read = (name: string) => JSON.parse(files[name] ?? '{}');

describe('layoutOf', () => {
  test('gives clusters of different folders different control groups, the same folder the same one', () => {
    const [a, b] = [layoutOf('/a'), layoutOf('/b')];
    expect(a.controlGroup).not.toBe(b.controlGroup);
    expect(layoutOf('/x/../a').controlGroup).toBe(a.controlGroup);
  });

  test('locks a folder that destroying does not remove', () => {
    const { lock, state } = layoutOf('/a/b');
    expect(lock.startsWith(state)).toBe(false);
  });
});

describe('programs', () => {
  test('have names of their own', () => {
    expect(new Set(programs.map(({ name }) => name)).size).toBe(programs.length);
  });

  test('listen on the host on loopback only, by the outer relays', () => {
    const outer = programs.filter(({ onHostNetwork }) => onHostNetwork);
    expect(outer.map(({ ready }) => ready)).toEqual([ports.api, ports.https]);
    for (const { command, ready } of outer) {
      expect(command).toContainEqual(expect.stringMatching(`^TCP4-LISTEN:${ready},bind=127\\.0\\.0\\.1,`));
    }
  });

  test('run with each word quoted, the outer relays in the network of the host', () => {
    const program = { name: 'odd', command: ['echo', "it's $HOME"], ready: 1 };
    expect(runScript(program)).toContain(`'echo' 'it'\\''s $HOME'`);
    expect(runScript(program)).not.toContain('nsenter');
    expect(runScript({ ...program, onHostNetwork: true })).toContain(
      `'nsenter' '--net=/run/host-network' '--' 'echo'`,
    );
  });

  test('tell how they died', () => {
    expect(describeDeath('1 0')).toBe('exit code 1');
    expect(describeDeath('256 9')).toBe('signal 9');
  });
});

describe('settings', () => {
  test('let no idle desktop be cut', () => {
    expect(read('contour.json').timeouts).toMatchObject({
      'stream-idle-timeout': 'infinity',
      'request-timeout': 'infinity',
    });
  });

  test('keep imported images: they cannot be pulled again', () => {
    expect(read('kubelet.json').imageGCHighThresholdPercent).toBe(100);
    expect(read('local-path-helper.json').spec.containers[0]).toMatchObject({
      image: nodeImage,
      imagePullPolicy: 'Never',
    });
  });

  test('put every pod below the control group of this cluster', () => {
    expect(read('kubelet.json').cgroupRoot).toBe(`/${layoutOf('/somewhere/.local/cluster').controlGroup}`);
  });

  test('name no path of the host, which is not what programs see inside', () => {
    expect(JSON.stringify(files)).not.toContain('/somewhere');
    expect(JSON.stringify(programs)).not.toContain('/somewhere');
  });
});

describe('kubeconfig', () => {
  test('carries the keys themselves, so that one file is enough', () => {
    const text = kubeconfig('https://127.0.0.1:1', 'CA', { certificate: 'CERT', key: 'KEY' });
    const { users, clusters } = JSON.parse(text);
    expect(Buffer.from(users[0].user['client-key-data'], 'base64').toString()).toBe('KEY');
    expect(clusters[0].cluster.server).toBe('https://127.0.0.1:1');
  });
});

describe('refuseOtherPorts', () => {
  const running = {
    supervisor: { pid: 1, startTime: '1', bootId: 'b' },
    binaries: '/b',
    httpsPort: 8443,
    apiPort: 6443,
    complete: true,
  };

  test('accepts the ports that the cluster has, and none at all', () => {
    expect(() => refuseOtherPorts(running, { httpsPort: 8443 })).not.toThrow();
    expect(() => refuseOtherPorts(running, {})).not.toThrow();
  });

  test('names both ports when they differ', () => {
    expect(() => refuseOtherPorts(running, { httpsPort: 9443 })).toThrow(/httpsPort 8443, but 9443/);
  });
});

describe('countingProgress', () => {
  test('reports now and then, never more than there are', () => {
    const lines: string[] = [];
    const onLine = countingProgress('Kubernetes', 90, (line) => lines.push(line));
    for (let count = 0; count < 120; count += 1) onLine();
    expect(lines).toEqual([
      'compiling Kubernetes: 50 of at most 90 packages',
      'compiling Kubernetes: 90 of at most 90 packages',
    ]);
  });
});
