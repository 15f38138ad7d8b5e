import * as pulumi from '@pulumi/pulumi';
import type { JobsAtEnd } from '../sidecar/contract/jobs.ts';
import { GATEWAY } from '../stacks/drawn-credentials.ts';
import type { InstanceConfig } from '../stacks/load.ts';
import { claimHook } from './claim-namespace.ts';
import { closeJobsHook } from './close-jobs.ts';
import { drainHook, inUseHook } from './drain.ts';
import { Endpoint } from './endpoint.ts';
import { GatewayCredentials } from './gateway-credentials.ts';
import { InstanceNamespace } from './instance-namespace.ts';
import { Jobs } from './jobs.ts';
import { nextSteps } from './manifests/commands.ts';
import { MountedSpaces } from './mounted-spaces.ts';
import { NetworkIsolation } from './network-isolation.ts';
import { OnedataCredentials } from './onedata-credentials.ts';
import { checkTokens } from './token-check.ts';
import { Volumes } from './volumes.ts';
import { Workload } from './workload.ts';

/** What a stack shows after `pulumi up`; the password only with `--show-secrets`. */
export interface InstanceOutputs {
  readonly url: string;
  readonly namespace: string;
  readonly desktopPassword: pulumi.Output<string>;
  readonly passwordCommand: string;
  readonly statusCommand: string;
  readonly saveCommand: string;
  readonly restartCommand: string;
  readonly removeCommand: string;
}

/**
 * One scientist's Scipion desktop with both Onedata spaces beside it.
 *
 * Children: namespace, onedata and gateway credentials, mounted spaces, volumes, network isolation, endpoint, jobs, workload.
 * A removal saves the project to its space, then deletes all of them; the spaces stay.
 */
export class ScipionInstance extends pulumi.ComponentResource {
  readonly outputs: InstanceOutputs;

  constructor(name: string, config: InstanceConfig, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:ScipionInstance', name, {}, opts);
    const parent = { parent: this };
    checkTokens(config);
    const inUse = inUseHook(config.stack);
    const namespace = new InstanceNamespace(
      `${name}-namespace`,
      { config, claimHook: claimHook(config.namespace, config.stack), inUseHook: inUse },
      parent,
    );
    const inside = { config, dependsOn: namespace.resources };
    const onedata = new OnedataCredentials(`${name}-onedata`, inside, parent);
    const gateway = new GatewayCredentials(GATEWAY, inside, parent);
    const volumes = new Volumes(`${name}-volume`, { ...inside, inUseHook: inUse }, parent);
    const network = new NetworkIsolation(`${name}-network`, inside, parent);
    const endpoint = new Endpoint(`${name}-endpoint`, inside, parent);
    const spaces = new MountedSpaces(`${name}-space`, inside, parent);
    const jobs = new Jobs(`${name}-jobs`, inside, parent);
    const others = [onedata, spaces, jobs, gateway, volumes, network, endpoint].flatMap(
      ({ resources }) => resources,
    );
    new Workload(
      `${name}-workload`,
      {
        config,
        namespace: namespace.resources,
        dependsOn: others,
        drainHook: drainHook({ ...config, jobs: jobsAtEnd(config) }),
        closeJobsHook: config.jobs ? closeJobsHook({ ...config, jobs: jobsAtEnd(config) }) : undefined,
      },
      parent,
    );
    this.outputs = outputsOf(config, endpoint.url, gateway.password);
    this.registerOutputs({ url: endpoint.url, namespace: config.namespace });
  }
}

const jobsAtEnd = ({ jobsAtRemoval: choice, jobsWait: waitSeconds }: InstanceConfig): JobsAtEnd => ({
  choice,
  waitSeconds,
});

function outputsOf(config: InstanceConfig, url: string, password: pulumi.Output<string>): InstanceOutputs {
  const steps = nextSteps(config);
  return {
    url,
    namespace: config.namespace,
    desktopPassword: pulumi.secret(password),
    passwordCommand: steps.password,
    statusCommand: steps.status,
    saveCommand: steps.save,
    restartCommand: steps.restart,
    removeCommand: steps.remove,
  };
}
