import * as pulumi from '@pulumi/pulumi';
import type { InstanceConfig } from '../stacks/load.ts';
import * as k8s from './kubernetes.ts';
import { podTemplateManifest } from './manifests/job.ts';
import {
  jobAccountManifest,
  jobsRoleBindingManifest,
  jobsRoleManifest,
  policyBindingManifest,
  rightsPolicyManifest,
  shapePolicyManifest,
} from './manifests/job-policy.ts';

/**
 * What the broker of the jobs may do, where a site has jobs. The policies that bound it are there before its rights, and go
 * after them.
 */

export interface JobsArgs {
  readonly config: InstanceConfig;
  readonly dependsOn: readonly pulumi.Resource[];
}

export class Jobs extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, args: JobsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:Jobs', name, {}, opts);
    this.resources = args.config.jobs ? this.createAll(name, args) : [];
    this.registerOutputs();
  }

  private createAll(name: string, { config, dependsOn }: JobsArgs): pulumi.Resource[] {
    const after = (...resources: pulumi.Resource[]) => ({
      parent: this,
      dependsOn: [...dependsOn, ...resources],
    });
    const account = new k8s.ServiceAccount(name, jobAccountManifest(config), after());
    const template = new k8s.PodTemplate(name, podTemplateManifest(config), after());
    const policies = [
      new k8s.ValidatingAdmissionPolicy(`${name}-rights`, rightsPolicyManifest(config), after()),
      new k8s.ValidatingAdmissionPolicy(`${name}-shape`, shapePolicyManifest(config), after()),
    ];
    const bindings = (['rights', 'shape'] as const).map(
      (kind) =>
        new k8s.ValidatingAdmissionPolicyBinding(
          `${name}-${kind}`,
          policyBindingManifest(config, kind),
          after(...policies, template),
        ),
    );
    const role = new k8s.Role(name, jobsRoleManifest(config), after(...bindings));
    const binding = new k8s.RoleBinding(name, jobsRoleBindingManifest(config), after(...bindings, role));
    return [account, template, ...policies, ...bindings, role, binding];
  }
}
