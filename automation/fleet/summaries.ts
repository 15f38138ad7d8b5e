import pLimit from 'p-limit';
import type { ClusterAddress, InstanceCluster, InstanceObjects } from '../../components/cluster-client.ts';
import { publicOrigin } from '../../components/names.ts';
import type { Project } from '../engine/index.ts';
import { type InstanceSummary, OWNER_KEY } from './instances.ts';
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

/** How the live state of a stack is found; absent: it is not asked for. */
type Look = (found: StackValues, namespace: string) => Promise<LiveState>;

export class Summaries {
  readonly #settings: SummarySettings;

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
    const rows = await Promise.all(all.map((stack) => limit(() => this.#summary(stack, look))));
    return rows.toSorted((left, right) => left.name.localeCompare(right.name));
  }

  async status(name: string): Promise<InstanceSummary> {
    const stack = (await this.#settings.project.list()).find((one) => one.name === name);
    if (stack === undefined && this.#settings.records.find(name) === undefined) throw unknown(name);
    return this.#summary(stack ?? { name }, (found, namespace) =>
      readLive(() => this.open(found), namespace),
    );
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
  #listing(): Look {
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

  async #summary({ name, lastUpdate }: Stack, look: Look | undefined): Promise<InstanceSummary> {
    const operation = this.#settings.records.find(name);
    const common = {
      name,
      ...(lastUpdate ? { lastUpdate } : {}),
      ...(operation ? { operation } : {}),
    };
    let owner: { owner?: string } = operation?.record.owner ? { owner: operation.record.owner } : {};
    try {
      const found = await this.values(name);
      if (found.others[OWNER_KEY] !== undefined) owner = { owner: found.others[OWNER_KEY] };
      const settings = judged(withChanges(name, found, {}));
      const { namespace, domain, publicPort, version, projectSpaceId, paused: isPaused } = settings;
      const url = `${publicOrigin(namespace, domain, publicPort)}/`;
      const live = look && lastUpdate ? { live: await look(found, namespace) } : {};
      return { ...common, ...owner, url, namespace, version, projectSpaceId, isPaused, ...live };
    } catch (error) {
      return { ...common, ...owner, problem: (error as Error).message };
    }
  }
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
