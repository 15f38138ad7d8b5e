import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Environment, openProject } from '../../automation/engine/index.ts';
import { Fleet, OperationRecords } from '../../automation/fleet/index.ts';
import { cacheKey } from '../../automation/tools/cache.ts';
import { openInstanceCluster } from '../../components/cluster-client.ts';
import { CLI } from '../cli/instance.ts';
import { STACK_STATE } from '../cli/machine.ts';
import { pulumiPlace } from '../cli/pulumi-environment.ts';

/** The fleet of this machine's user: the same stacks, files and backend as `npm run pulumi` has. */
export interface Place {
  readonly fleet: Fleet;
  readonly records: OperationRecords;
  /** Folder of Pulumi.yaml. */
  readonly directory: string;
}

/** @param project another folder with a Pulumi.yaml of this program */
export async function openPlace(stack: string | undefined, project: string | undefined): Promise<Place> {
  const place = await pulumiPlace(project === undefined ? stack : undefined);
  const directory = project === undefined ? place.directory : resolve(project);
  if (!existsSync(join(directory, 'Pulumi.yaml')))
    throw new Error(
      `${directory} has no Pulumi.yaml. Expected: the folder of a project that runs this program.`,
    );
  const { environment, engine } = place;
  const kubeconfig = environment.KUBECONFIG;
  const records = new OperationRecords(recordsFolder(environment));
  const fleet = new Fleet({
    project: openProject(engine, { directory, environment, cli: CLI }),
    directory,
    records,
    openCluster: (address) =>
      openInstanceCluster(kubeconfig === undefined ? address : { kubeconfig, ...defined(address) }),
  });
  return { fleet, records, directory };
}

const defined = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;

/** Stacks of the same name in two backends are two. */
function recordsFolder({ PULUMI_BACKEND_URL }: Environment): string {
  const folder = join(STACK_STATE, 'operations');
  if (PULUMI_BACKEND_URL !== undefined) return folder;
  return join(folder, cacheKey(process.env.PULUMI_BACKEND_URL ?? ''));
}
