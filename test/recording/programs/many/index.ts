import * as kubernetes from '@pulumi/kubernetes';
import * as pulumi from '@pulumi/pulumi';
import { names, stack, way } from './state.ts';

names.push(stack);
process.env.MANY_SEEN = `${process.env.MANY_SEEN ?? ''}${stack}`;
const token = new pulumi.Config().requireSecret('token');
const drain = new pulumi.ResourceHook('drain', async () => undefined);

function settings(name: string): kubernetes.core.v1.ConfigMap {
  return new kubernetes.core.v1.ConfigMap(
    name,
    { data: { names: names.join(' '), seen: process.env.MANY_SEEN ?? '', way: way ?? 'none' } },
    { hooks: { beforeDelete: [drain] } },
  );
}

const first = settings('first');
new kubernetes.core.v1.Secret('token', { stringData: { token } }, { dependsOn: [first] });
if (way === 'prints') process.stdout.write('a line\nand another\n');
if (way === 'refuses') throw new pulumi.RunError('this stack is refused');
if (way === 'throws') throw new Error('this stack is broken');
if (way === 'exits') process.exit(3);
if (way === 'rejects') first.metadata.apply(() => Promise.reject(new Error('too late')));
if (way === 'later') setTimeout(() => settings('later'), 300);
if (way === 'never') setInterval(() => undefined, 1000);
if (way === 'spins') for (;;);

export default { stack };
