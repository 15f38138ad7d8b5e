import { createHash } from 'node:crypto';
import * as pulumi from '@pulumi/pulumi';
import { publicOrigin } from './console-settings.ts';
import * as k8s from './kubernetes.ts';
import type { SiteConfig } from './load.ts';
import { configFiles, configMapManifest } from './manifests/config.ts';
import * as console from './manifests/console.ts';
import { metadata } from './manifests/metadata.ts';
import * as network from './manifests/network.ts';
import * as rights from './manifests/rights.ts';
import { NAMES, SECRET_FILES, type SiteSecretKey } from './names.ts';

export interface SiteOutputs {
  readonly url: string;
  readonly namespace: string;
  /** Where the identity provider sends users back to. */
  readonly redirectAddress: string;
}

/**
 * What a cluster needs once: the console with its state, and the bounds of its rights.
 *
 * The bounds are there before the rights, and the rights before the console that uses them. A removal of this stack
 * leaves the instances alone, and the volume with their states and the audit log is kept.
 */
export class ScipionSite extends pulumi.ComponentResource {
  readonly outputs: SiteOutputs;

  constructor(name: string, config: SiteConfig, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:site:ScipionSite', name, {}, opts);
    const parent = { parent: this };
    const namespace = new k8s.Namespace(name, console.namespaceManifest(config), {
      ...parent,
      protect: true,
    });
    const inside = { ...parent, dependsOn: [namespace] };
    const isolation = [
      new k8s.NetworkPolicy(name, network.consolePolicyManifest(config), inside),
      new k8s.NetworkPolicy(`${name}-default-deny`, network.defaultDenyManifest(config), inside),
      ...(config.tlsIssuer === undefined
        ? []
        : [
            new k8s.NetworkPolicy(
              `${name}-certificate-solver`,
              network.certificateSolverManifest(config),
              inside,
            ),
          ]),
    ];
    const allowed = this.createRights(name, config, namespace);
    const files = new k8s.ConfigMap(name, configMapManifest(config), inside);
    const secrets = new k8s.Secret(
      name,
      { metadata: metadata(config.namespace, NAMES.secrets), type: 'Opaque', stringData: secretData(config) },
      inside,
    );
    // It has the states of all instances: without them nobody can change or remove one.
    const state = new k8s.PersistentVolumeClaim(name, console.stateManifest(config), {
      ...inside,
      protect: true,
      retainOnDelete: true,
    });
    const service = new k8s.Service(name, console.serviceManifest(config), {
      ...parent,
      dependsOn: [namespace],
    });
    new k8s.Ingress(name, console.ingressManifest(config), { ...parent, dependsOn: [namespace, service] });
    const digest = createHash('sha256')
      .update(JSON.stringify(configFiles(config)))
      .digest('hex')
      .slice(0, 16);
    new k8s.Deployment(name, console.deploymentManifest(config, digest), {
      ...parent,
      dependsOn: [...isolation, ...allowed, files, secrets, state],
    });
    const url = publicOrigin(config);
    this.outputs = {
      url: `${url}/`,
      namespace: config.namespace,
      redirectAddress: `${url}/sign-in/callback`,
    };
    this.registerOutputs({ url: this.outputs.url });
  }

  private createRights(name: string, config: SiteConfig, namespace: pulumi.Resource): pulumi.Resource[] {
    const parent = { parent: this };
    const account = new k8s.ServiceAccount(name, rights.accountManifest(config), {
      ...parent,
      dependsOn: [namespace],
    });
    const policy = new k8s.ValidatingAdmissionPolicy(name, rights.policyManifest(config), parent);
    const bound = new k8s.ValidatingAdmissionPolicyBinding(name, rights.policyBindingManifest(), {
      ...parent,
      dependsOn: [policy],
    });
    const role = new k8s.ClusterRole(name, rights.clusterRoleManifest(), parent);
    const binding = new k8s.ClusterRoleBinding(name, rights.clusterRoleBindingManifest(config), {
      ...parent,
      dependsOn: [account, role, bound],
    });
    return [account, policy, bound, role, binding];
  }
}

const secretData = ({ secrets }: SiteConfig) =>
  Object.fromEntries(
    Object.entries(secrets).map(([key, value]) => [SECRET_FILES[key as SiteSecretKey], value]),
  );
