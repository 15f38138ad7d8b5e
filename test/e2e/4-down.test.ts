import { expect, test } from 'vitest';
import { CLUSTER_STATE } from '../../local/cli/machine.ts';
import { findLeftovers } from '../../local/cluster/index.ts';
import { local } from './world.ts';

test('down ends everything and leaves no process, mount, network, rule or container', async () => {
  const down = await local(['down', '--purge']);
  expect(down.output).not.toContain('FAILED');
  expect(down.exitCode).toBe(0);
  expect(await findLeftovers(CLUSTER_STATE)).toEqual([]);
  expect((await local(['status'])).output).toContain('not running');
});
