import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { ClusterAddress, InstanceCluster, InstanceObjects } from '../../components/cluster-client.ts';
import { publicOrigin } from '../../components/names.ts';
import type { Project } from '../engine/index.ts';
import { stackFolder } from '../recording/config.ts';
import { EXPIRES_KEY, type InstanceSummary, OWNER_KEY, sizeOf } from './instances.ts';
import { type LiveState, liveOf, readLive } from './live.ts';
import { FleetError } from './operation.ts';
import type { OperationRecords } from './records.ts';
import { judged, readValues, type StackValues, withChanges } from './settings.ts';

/** What there is and how it is: the engine's list, the files of the stacks, the records, and one listing a cluster. */

export interface SummarySettings {
  readonly project: Project;
  /** Folder of Pulumi.yaml, whose stack files are read. */
  readonly directory: string;
  readonly records: OperationRecords;
  readonly openCluster: (address: ClusterAddress) => InstanceCluster;
}

interface Stack {
  readonly name: string;
  readonly lastUpdate?: string;
}

/** What the files of a stack say; read and judged again only where one of them is another one. */
interface Known {
  readonly stamp: string;
  /** Absent: they cannot be read. */
  readonly found?: StackValues;
  readonly facts: Pick<
    InstanceSummary,
    | 'owner'
    | 'expiresAt'
    | 'url'
    | 'namespace'
    | 'version'
    | 'projectSpaceId'
    | 'isPaused'
    | 'size'
    | 'problem'
  >;
}

/** How the live state of a stack is found; absent: it is not asked for. */
type ReadLiveState = (found: StackValues, namespace: string) => Promise<LiveState>;

export class Summaries {
  readonly #settings: SummarySettings;
  readonly #known = new Map<string, Known>();
  #folder: { readonly stamp: string; readonly path: string } | undefined;

  constructor(settings: SummarySettings) {
    this.#settings = settings;
  }

  async list(isLive: boolean): Promise<readonly InstanceSummary[]> {
    const stacks = await this.#settings.project.list();
    const known = new Set(stacks.map(({ name }) => name));
    // Killed before its stack was there.
    const begun = this.#settings.records.stacks().filter((name) => !known.has(name));
    const limit = pLimit(8);
    const all: Stack[] = [...stacks, ...begun.map((name) => ({ name }))];
    const look = isLive ? this.#listing() : undefined;
    const files = await this.#files();
    const rows = await Promise.all(all.map((stack) => limit(() => this.#summary(stack, look, files))));
    const names = new Set(all.map(({ name }) => name));
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
    return rows.toSorted((left, right) => left.name.localeCompare(right.name));
  }

  async status(name: string): Promise<InstanceSummary> {
    const stack = (await this.#settings.project.list()).find((one) => one.name === name);
    if (stack === undefined && this.#settings.records.find(name) === undefined) throw unknown(name);
    const look: ReadLiveState = (found, namespace) => readLive(() => this.open(found), namespace);
    return this.#summary(stack ?? { name }, look, await this.#files());
  }

  async live(name: string): Promise<LiveState> {
    const found = await this.values(name);
    const { namespace } = judged(withChanges(name, found, {}));
    return readLive(() => this.open(found), namespace);
  }

  values(name: string): Promise<StackValues> {
    return readValues(this.#settings.directory, name);
  }

  open({ others }: StackValues): InstanceCluster {
    return this.#settings.openCluster(addressOf(others));
  }

  /** Each cluster is asked once for all its instances; where that is not allowed, for each. */
  #listing(): ReadLiveState {
    const listings = new Map<string, Promise<ReadonlyMap<string, InstanceObjects> | undefined>>();
    return async (found, namespace) => {
      const open = () => this.open(found);
      const key = JSON.stringify(addressOf(found.others));
      const listing = listings.get(key) ?? list(open);
      listings.set(key, listing);
      try {
        const all = await listing;
        if (all === undefined) return readLive(open, namespace, true);
        return liveOf(all.get(namespace) ?? {});
      } catch (error) {
        return { phase: 'unknown', reason: firstLine(error), warnings: [] };
      }
    };
  }

  async #summary(
    { name, lastUpdate }: Stack,
    look: ReadLiveState | undefined,
    files: Files,
  ): Promise<InstanceSummary> {
    const operation = this.#settings.records.find(name);
    const { found, facts } = await this.#read(name, files);
    const { namespace } = facts;
    const owner = facts.owner ?? operation?.record.owner;
    const isLive = look !== undefined && lastUpdate !== undefined && found !== undefined;
    return {
      name,
      ...(lastUpdate ? { lastUpdate } : {}),
      ...(operation ? { operation } : {}),
      ...facts,
      ...(owner === undefined ? {} : { owner }),
      ...(isLive && namespace !== undefined ? { live: await look(found, namespace) } : {}),
    };
  }

  async #read(name: string, files: Files): Promise<Known> {
    const stamp = `${files.stamp} ${await stampOf(join(files.folder, `Pulumi.${name}.yaml`))}`;
    const known = this.#known.get(name);
    if (known?.stamp === stamp) return known;
    const read = await this.#judge(name);
    this.#known.set(name, { ...read, stamp });
    return { ...read, stamp };
  }

  async #judge(name: string): Promise<Omit<Known, 'stamp'>> {
    let own: Pick<InstanceSummary, 'owner' | 'expiresAt'> = {};
    try {
      const found = await this.values(name);
      own = ownFacts(found.others);
      const settings = judged(withChanges(name, found, {}));
      const { namespace, domain, publicPort, version, projectSpaceId, paused: isPaused } = settings;
      const url = `${publicOrigin(namespace, domain, publicPort)}/`;
      const facts = { url, namespace, version, projectSpaceId, isPaused, size: sizeOf(settings) };
      return { found, facts: { ...own, ...facts } };
    } catch (error) {
      return { facts: { ...own, problem: (error as Error).message } };
    }
  }

  /** Where the stacks' files are, and which Pulumi.yaml stands above them. */
  async #files(): Promise<Files> {
    const { directory } = this.#settings;
    const stamp = await stampOf(join(directory, 'Pulumi.yaml'));
    if (this.#folder?.stamp !== stamp) {
      // A file that cannot be read is told with each stack.
      const path = await stackFolder(directory).catch(() => directory);
      this.#folder = { stamp, path };
    }
    return { stamp, folder: this.#folder.path };
  }
}

/** What callers keep with an instance. */
function ownFacts(others: StackValues['others']): Pick<InstanceSummary, 'owner' | 'expiresAt'> {
  const owner = others[OWNER_KEY];
  const end = Date.parse(others[EXPIRES_KEY] ?? '');
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(Number.isNaN(end) ? {} : { expiresAt: new Date(end).toISOString() }),
  };
}

interface Files {
  readonly stamp: string;
  readonly folder: string;
}

/** Another one after each change, whoever made it. */
async function stampOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
}

const list = async (open: () => InstanceCluster) => open().instances();

const addressOf = (others: StackValues['others']): ClusterAddress => ({
  kubeconfig: others['kubernetes:kubeconfig'],
  context: others['kubernetes:context'],
});

const firstLine = (error: unknown) => (error as Error).message.split('\n')[0] ?? '';

export const unknown = (name: string) =>
  new FleetError('unknown', `There is no instance ${name}.`, {
    advice: 'Which there are: npm run instance -- list',
  });
