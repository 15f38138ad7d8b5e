import type { Report } from '../progress.ts';

/** Configuration of a stack that is not in its file: values by full key, e.g. `scipion:onedataHost`. */
export interface StackOverrides {
  readonly plain: Readonly<Record<string, string>>;
  readonly secret: Readonly<Record<string, string>>;
}

/** Where a stack is deployed to, and from what. */
export interface Deployment {
  /** Root of the repository: where Pulumi.yaml is. */
  readonly programDirectory: string;
  readonly stack: string;
  readonly overrides: StackOverrides;
  readonly kubeconfig: string;
  /** Context of the kubeconfig; its current one where absent. */
  readonly context?: string;
  readonly kubectl: string;
  /** Added to the program's environment while a stack is removed, on top of what it always gets. */
  readonly removalEnvironment: Readonly<Record<string, string>>;
  /** Folder for the engine's state, mode 0700; keep it as long as the instance lives. */
  readonly stateDirectory: string;
}

/**
 * Runs the Pulumi program against a cluster. Two implementations: the Pulumi CLI, and the embedded engine where there
 * is none. What one created only that one can change: the state is its own.
 *
 * Every method throws an `Error` whose message is fit for a person; what the program or the cluster said is part of it.
 */
export interface Deployer {
  readonly name: 'pulumi' | 'embedded';
  up(report: Report): Promise<void>;
  preview(report: Report): Promise<void>;
  /** Runs the program too, so that the drain happens before anything is deleted. Idempotent. */
  destroy(report: Report): Promise<void>;
  /** Stack outputs by name, secrets in clear: never print the whole of it. Empty before the first `up`. */
  outputs(): Promise<Record<string, unknown>>;
}
