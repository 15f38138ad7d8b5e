import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { freePort } from '../../../test/helpers/free-port.ts';
import { clusterRules } from '../leftovers.ts';
import { choosePort } from '../ports.ts';
import { identify, isListening, isRunning, listensOn, startTimeOf } from '../process.ts';
import { seesState } from '../sandbox-processes.ts';

const stat = (name: string, state: string) =>
  `123 (${name}) ${state} 1 123 123 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 98765 1000 10 0`;

describe('process identity', () => {
  test('finds the start time behind any program name', () => {
    expect(startTimeOf(stat('sh', 'S'))).toBe('98765');
    expect(startTimeOf(stat('odd) R 1 (name', 'S'))).toBe('98765');
  });

  test('does not count a zombie as running', () => {
    expect(startTimeOf(stat('sh', 'Z'))).toBeNull();
  });

  test('tells a process from a later one with its number', () => {
    const self = identify(process.pid);
    if (!self) throw new Error('this process is not found in /proc');
    expect(isRunning(self)).toBe(true);
    expect(isRunning({ ...self, startTime: '1' })).toBe(false);
    expect(isRunning({ ...self, bootId: 'another' })).toBe(false);
  });

  test('knows a process that has ended', async () => {
    const child = spawn('sleep', ['60']);
    const identity = child.pid === undefined ? null : identify(child.pid);
    if (!identity) throw new Error('sleep did not start');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isRunning(identity)).toBe(false);
  });
});

describe('listening sockets', () => {
  const line = (port: string, state: string) => `   0: 0100007F:${port} 00000000:0000 ${state} 0 0 0`;

  test('are those in state LISTEN on the port, not clients or longer numbers', () => {
    expect(listensOn(line('192B', '0A'), 6443)).toBe(true);
    expect(listensOn(line('192B', '01'), 6443)).toBe(false);
    expect(listensOn(line('0050', '0A'), 80)).toBe(true);
    expect(listensOn(line('0050', '0A'), 0x5000)).toBe(false);
  });

  test('are seen by isListening and avoided by choosePort', async () => {
    const port = await freePort();
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    try {
      expect(isListening('self', port)).toBe(true);
      await expect(choosePort('HTTPS', port, 1)).rejects.toThrow(`Port ${port} of 127.0.0.1`);
      expect(await choosePort('HTTPS', undefined, port)).not.toBe(port);
    } finally {
      server.close();
      await once(server, 'close');
    }
    expect(isListening('self', port)).toBe(false);
  });
});

describe('seesState', () => {
  const line = (root: string, place: string) =>
    `36 35 98:0 ${root} ${place} rw,noatime shared:1 - ext4 /dev/vda rw`;

  test('is about this state folder at its place inside, nothing else', () => {
    const state = '/home/a b/.local/cluster';
    expect(seesState(line('/home/a\\040b/.local/cluster', '/run/cluster'), state)).toBe(true);
    expect(seesState(line('/a\\040b/.local/cluster', '/run/cluster'), state)).toBe(true);
    expect(seesState(line('/home/a\\040b/.local/cluster2', '/run/cluster'), state)).toBe(false);
    expect(seesState(line('/home/a\\040b/.local/cluster', '/mnt'), state)).toBe(false);
    expect(seesState(line('/', '/run/cluster'), state)).toBe(false);
  });
});

describe('clusterRules', () => {
  test("finds this cluster's firewall rules among those of others", () => {
    const ours = '-A KUBE-SERVICES -d 10.89.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-X';
    const others = ['-A KUBE-SERVICES -d 10.43.0.1/32 -j KUBE-SVC-Y', '-A POSTROUTING -s 10.89.0.0/16 -j X'];
    expect(clusterRules(['*nat', ours, ...others].join('\n'))).toEqual([ours]);
  });
});
