import type { Readable } from 'node:stream';
import * as z from 'zod';
import type { TreeEntry } from './admin/routes.ts';
import { EMULATOR_PROGRAM } from './bundle.ts';
import { INSTANCE_SPACES } from './configuration.ts';
import type { FaultRule, Settings } from './faults.ts';
import { packDirectory } from './store/archive.ts';

/**
 * Runs a command where the emulator runs (`kubectl exec -i`, or a process) and answers its standard output.
 * Rejects where the command fails.
 */
export type Exec = (argv: readonly string[], stdin?: Readable) => Promise<string>;

/** What an instance is configured with to use the emulator. */
export interface EmulatorCredentials {
  readonly providerHost: string;
  readonly zoneHost: string;
  /** PEM of the emulator's certificate authority. */
  readonly caPem: string;
  readonly sourceSpaceId: string;
  /** May only read, and only the source space. */
  readonly sourceToken: string;
  readonly projectSpaceId: string;
  readonly projectToken: string;
}

const spaceSchema = z.object({ id: z.string(), usedBytes: z.number(), imported: z.array(z.string()) });
const credentialsSchema = z.object({
  providerHost: z.string(),
  zoneHost: z.string(),
  caPem: z.string(),
  spaces: z.array(spaceSchema),
  tokens: z.record(z.string(), z.string()),
});
const importSchema = z.object({ files: z.int(), directories: z.int(), links: z.int(), bytes: z.int() });

/** The admin API of an emulator that is reached by running commands beside it. */
export class RemoteEmulator {
  readonly #exec: Exec;
  readonly #program: readonly string[];

  constructor(
    exec: Exec,
    program: readonly string[] = ['node', '--disable-warning=ExperimentalWarning', EMULATOR_PROGRAM],
  ) {
    this.#exec = exec;
    this.#program = program;
  }

  async credentials(): Promise<EmulatorCredentials> {
    const found = credentialsSchema.parse(await this.#call('GET', '/credentials'));
    return {
      providerHost: found.providerHost,
      zoneHost: found.zoneHost,
      caPem: found.caPem,
      sourceSpaceId: INSTANCE_SPACES.source,
      sourceToken: token(found.tokens, 'source'),
      projectSpaceId: INSTANCE_SPACES.project,
      projectToken: token(found.tokens, 'project'),
    };
  }

  /** Copies a directory into a space; with a key only where this key has not been copied yet. */
  async importDirectory(
    spaceId: string,
    directory: string,
    key?: string,
  ): Promise<{ copied: boolean; bytes: number }> {
    const spaces = z.array(spaceSchema).parse(await this.#call('GET', '/spaces'));
    const space = spaces.find(({ id }) => id === spaceId);
    if (key !== undefined && space?.imported.includes(key)) return { copied: false, bytes: space.usedBytes };
    const { stream, sent } = packDirectory(directory);
    const arrived = importSchema.parse(await this.#call('POST', `/spaces/${spaceId}/import`, stream));
    // A standard input that is cut off between two entries looks like a complete archive.
    if (JSON.stringify(Object.entries(arrived).sort()) !== JSON.stringify(Object.entries(sent).sort())) {
      throw new Error(
        `Of ${directory} not everything arrived in space ${spaceId}: sent ${JSON.stringify(sent)}, arrived ${JSON.stringify(arrived)}. Run it again.`,
      );
    }
    if (key !== undefined) await this.#call('POST', `/spaces/${spaceId}/imported`, { key });
    return { copied: true, bytes: arrived.bytes };
  }

  /** Everything in a space with sizes, sums and link targets, depth first in bytewise order. */
  async tree(spaceId: string): Promise<TreeEntry[]> {
    return ((await this.#call('GET', `/spaces/${spaceId}/tree`)) as { entries: TreeEntry[] }).entries;
  }

  async clear(spaceId: string): Promise<void> {
    await this.#call('DELETE', `/spaces/${spaceId}/content`);
  }

  async set(settings: Settings): Promise<void> {
    await this.#call('PUT', '/settings', settings);
  }

  /** In place of those before. */
  async setFaults(rules: readonly FaultRule[]): Promise<void> {
    await this.#call('PUT', '/faults', { seed: 1, rules });
  }

  async setQuota(spaceId: string, quotaBytes: number | null): Promise<void> {
    await this.#call('PUT', `/spaces/${spaceId}/quota`, { quotaBytes });
  }

  async #call(method: string, path: string, body?: Readable | object): Promise<unknown> {
    const isStream = body !== undefined && 'pipe' in body;
    const argument = body === undefined ? [] : [isStream ? '-' : JSON.stringify(body)];
    const argv = [...this.#program, 'admin', method, path, ...argument];
    const output = await this.#exec(argv, isStream ? (body as Readable) : undefined);
    try {
      return JSON.parse(output);
    } catch (cause) {
      throw new Error(
        `The Onedata emulator answered ${method} ${path} with no JSON: ${output.slice(0, 200)}`,
        { cause },
      );
    }
  }
}

function token(tokens: Readonly<Record<string, string>>, name: string): string {
  const found = tokens[name];
  if (!found) {
    const names = Object.keys(tokens).join(', ') || 'none';
    throw new Error(
      `The Onedata emulator has no token ${JSON.stringify(name)}; it has: ${names}. Add it to its configuration.`,
    );
  }
  return found;
}
