import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../../test/helpers/free-port.ts';

/** The ports of tests that listen later: in CI many of them start servers at one time. */

test('no port is given twice in a row, and none that is listened on', async () => {
  const first = await freePort();
  const ports = [first];
  while (ports.length < 50) ports.push(await freePort());
  expect(new Set(ports).size).toBe(50);
  const server = createServer().listen(first, '127.0.0.1');
  await once(server, 'listening');
  try {
    const again = [];
    while (again.length < 200) again.push(await freePort());
    expect(again).not.toContain(first);
  } finally {
    server.close();
  }
});

test('nobody is given one of them by the system: they are below those for clients', async () => {
  expect(await freePort()).toBeLessThan(32_768);
});
