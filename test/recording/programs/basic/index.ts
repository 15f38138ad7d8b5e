import * as k8s from '@pulumi/kubernetes';
import * as pulumi from '@pulumi/pulumi';
import * as random from '@pulumi/random';

const config = new pulumi.Config();
const createTimeout = config.get('createTimeout');
const greeting: string = config.require('greeting');
if (greeting === 'nobody') throw new pulumi.RunError('greeting: found "nobody", expected somebody');

if (config.getBoolean('label')) {
  pulumi.runtime.registerResourceTransform(({ type, props, opts }) =>
    type === 'kubernetes:core/v1:Namespace'
      ? { props: { ...props, metadata: { ...props.metadata, labels: { team: 'cryo' } } }, opts }
      : undefined,
  );
}

class Site extends pulumi.ComponentResource {
  readonly secret: k8s.core.v1.Secret;
  readonly password: random.RandomPassword;
  constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
    super('basic:index:Site', name, {}, opts);
    this.password = new random.RandomPassword(
      `${name}-password`,
      { length: 24, special: false, keepers: { round: config.get('round') ?? '1' } },
      { parent: this },
    );
    this.secret = new k8s.core.v1.Secret(
      `${name}-secret`,
      {
        metadata: { name: 'site-secret', namespace: 'site' },
        stringData: { password: this.password.result, token: config.requireSecret('token') },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}

const namespace = new k8s.core.v1.Namespace('namespace', { metadata: { name: 'site' } });
const site = new Site('site', { dependsOn: [namespace] });
const settings = new k8s.core.v1.ConfigMap(
  'settings',
  { metadata: { name: 'settings', namespace: namespace.metadata.name }, data: { greeting } },
  { protect: config.getBoolean('protect') ?? false },
);
const drain = new pulumi.ResourceHook('drain', async (args) => {
  await pulumi.log.info(`draining ${args.name}`);
  if (config.get('failDrain')) throw new Error('two files could not be saved');
});
new k8s.core.v1.ConfigMap('drawn-name', {
  metadata: { namespace: namespace.metadata.name },
  data: { greeting },
});
if (config.get('twin')) new k8s.core.v1.Namespace('namespace', { metadata: { name: 'twin' } });
new k8s.apps.v1.StatefulSet(
  'workload',
  {
    metadata: { name: 'workload', namespace: namespace.metadata.name },
    spec: {
      replicas: config.requireNumber('replicas'),
      serviceName: 'workload',
      selector: { matchLabels: { app: 'workload' } },
      template: {
        metadata: { labels: { app: 'workload' } },
        spec: { containers: [{ name: 'main', image: 'example/main:1' }] },
      },
    },
  },
  {
    dependsOn: [site, settings],
    hooks: config.get('noHook') ? {} : { beforeDelete: [drain] },
    customTimeouts: { delete: '70m', ...(createTimeout ? { create: createTimeout } : {}) },
    aliases: [{ name: 'old-workload' }],
  },
);

export const url = pulumi.interpolate`https://${namespace.metadata.name}.example.org`;
export const password = site.password.result;
