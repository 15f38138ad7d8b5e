import { mkdir } from 'node:fs/promises';
import {
  destroy,
  outputs,
  preview,
  reveal,
  type StackOptions,
  type StackResult,
  up,
} from '../engine/index.ts';
import type { Report } from '../progress.ts';
import type { Deployer, Deployment } from './deployer.ts';

/** The stack through the embedded engine, for machines without the Pulumi CLI. */
export function embeddedEngine(deployment: Deployment): Deployer {
  const optionsFor = (report: Report, environment: Readonly<Record<string, string>> = {}): StackOptions => ({
    directory: deployment.programDirectory,
    stack: deployment.stack,
    config: deployment.overrides.plain,
    secretConfig: deployment.overrides.secret,
    stateDirectory: deployment.stateDirectory,
    kubectl: {
      path: deployment.kubectl,
      kubeconfig: deployment.kubeconfig,
      ...(deployment.context === undefined ? {} : { context: deployment.context }),
    },
    environment: { KUBECONFIG: deployment.kubeconfig, ...environment },
    onEvent: (event) => {
      if (event.kind === 'log') report(event.log.message);
      else if (event.kind === 'step' && event.step !== 'same' && event.phase !== 'planned') {
        report([event.phase, event.step, event.name, event.message].filter(Boolean).join(' '));
      }
    },
  });

  const act = async (name: string, run: typeof up, options: StackOptions) => {
    await mkdir(deployment.stateDirectory, { recursive: true, mode: 0o700 });
    const result: StackResult = await run(options);
    if (result.ok) return;
    throw new Error(`${name} of stack ${deployment.stack} failed:\n${result.errors.join('\n')}`);
  };

  return {
    name: 'embedded',
    up: (report) => act('up', up, optionsFor(report)),
    preview: (report) => act('preview', preview, optionsFor(report)),
    destroy: (report) => act('destroy', destroy, optionsFor(report, deployment.removalEnvironment)),
    outputs: async () => reveal(await outputs(optionsFor(() => {}))) as Record<string, unknown>,
  };
}
