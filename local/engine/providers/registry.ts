import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../protocol.ts';
import { type Properties, reveal } from '../values.ts';
import type { KubectlSettings } from './kubectl.ts';
import { KubernetesProvider } from './kubernetes.ts';
import type { Provider } from './provider.ts';
import { RandomProvider } from './random-provider.ts';

export interface RegistrySettings {
  readonly project: string;
  readonly stack: string;
  readonly kubectl: KubectlSettings;
  /** The stack's configuration; keys of `kubernetes:` set up the default provider. */
  readonly config: Readonly<Record<string, string>>;
  readonly pollMilliseconds?: number;
}

/** Finds the provider of a resource: by its package, and by an explicit `pulumi:providers:kubernetes` resource. */
export class ProviderRegistry {
  readonly #settings: RegistrySettings;
  readonly #random = new RandomProvider();
  readonly #byReference = new Map<string, Promise<Provider>>();
  #directory: Promise<string> | undefined;

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
  }

  /**
   * @param reference `<urn>::<id>` of an explicit provider, if there is one
   * @param inputsOf inputs of a provider resource by URN
   */
  find(
    type: string,
    reference: string | undefined,
    inputsOf: (urn: string) => Properties | undefined,
  ): Promise<Provider> {
    const name = type.split(':')[0];
    if (name === 'random') return Promise.resolve(this.#random);
    if (name !== 'kubernetes') {
      throw new EngineError(
        `${type}: the embedded engine has providers for "kubernetes" and "random" only. Use the Pulumi CLI for this program.`,
      );
    }
    const key = reference ?? '';
    let provider = this.#byReference.get(key);
    if (!provider) {
      const urn = reference?.split('::').slice(0, -1).join('::');
      provider = this.#kubernetes(urn === undefined ? this.#defaults() : (inputsOf(urn) ?? {}));
      this.#byReference.set(key, provider);
    }
    return provider;
  }

  #defaults(): Properties {
    const entries = Object.entries(this.#settings.config).filter(([key]) => key.startsWith('kubernetes:'));
    return Object.fromEntries(entries.map(([key, value]) => [key.slice('kubernetes:'.length), value]));
  }

  async #kubernetes(inputs: Properties): Promise<Provider> {
    const arguments_ = reveal(inputs) as Record<string, unknown>;
    const text = (key: string) => (typeof arguments_[key] === 'string' ? arguments_[key] : undefined);
    const isOn = (key: string) => String(arguments_[key]) === 'true';
    const kubeconfig = text('kubeconfig');
    const context = text('context');
    const namespace = text('namespace');
    return new KubernetesProvider({
      kubectl: {
        ...this.#settings.kubectl,
        ...(kubeconfig ? { kubeconfig: await this.#kubeconfigFile(kubeconfig) } : {}),
        ...(context ? { context } : {}),
      },
      fieldManager: `embedded-engine-${this.#settings.project}-${this.#settings.stack}`.slice(0, 128),
      ...(namespace ? { namespace } : {}),
      mutable: { secrets: isOn('enableSecretMutable'), configMaps: isOn('enableConfigMapMutable') },
      ...(this.#settings.pollMilliseconds === undefined
        ? {}
        : { pollMilliseconds: this.#settings.pollMilliseconds }),
    });
  }

  /** The argument is a path or the content itself; content goes to a file that only we read, gone at `close`. */
  async #kubeconfigFile(kubeconfig: string): Promise<string> {
    if (!kubeconfig.includes('\n') && !kubeconfig.trimStart().startsWith('{')) {
      if (existsSync(kubeconfig)) return kubeconfig;
      throw new EngineError(`kubeconfig of the provider: ${kubeconfig} does not exist.`);
    }
    this.#directory ??= mkdtemp(join(tmpdir(), 'engine-'));
    const path = join(await this.#directory, `kubeconfig-${this.#byReference.size}`);
    await writeFile(path, kubeconfig, { mode: 0o600 });
    return path;
  }

  async close(): Promise<void> {
    if (this.#directory) await rm(await this.#directory, { recursive: true, force: true });
  }
}
