import { setTimeout as sleep } from 'node:timers/promises';
import * as pulumi from '@pulumi/pulumi';
import * as random from '@pulumi/random';

/** One resource that takes its time, and one that comes after it. */

const wait = new pulumi.ResourceHook('wait', async () => {
  await pulumi.log.info('waiting for the hook');
  await sleep(Number(new pulumi.Config().require('milliseconds')));
});
const first = new random.RandomId('first', { byteLength: 2 }, { hooks: { beforeCreate: [wait] } });
new random.RandomId('second', { byteLength: 2 }, { dependsOn: [first] });
