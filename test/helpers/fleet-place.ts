import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { ensureEngine, openProject, stateEnvironment } from '../../automation/engine/index.ts';
import { Fleet, OperationRecords } from '../../automation/fleet/index.ts';
import { openInstanceCluster } from '../../components/cluster-client.ts';

/** A fleet of the real program on the real engine in a folder of its own, whose objects become files. */
export interface FleetPlace {
  readonly fleet: Fleet;
  readonly records: OperationRecords;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export async function openFleetPlace(folder: string, kubeconfig: string): Promise<FleetPlace> {
  const directory = join(folder, 'project');
  mkdirSync(directory, { recursive: true });
  const { stackConfigDir: _, config, ...project } = parse(readFileSync(join(ROOT, 'Pulumi.yaml'), 'utf8'));
  const own = {
    'kubernetes:renderYamlToDirectory': join(folder, 'rendered'),
    'scipion:checkTokens': 'false',
  };
  writeFileSync(
    join(directory, 'Pulumi.yaml'),
    stringify({ ...project, main: ROOT, config: { ...config, ...own } }),
  );
  const engine = await ensureEngine(() => {});
  const environment = {
    ...(await stateEnvironment(engine, join(folder, 'state'))),
    KUBECONFIG: kubeconfig,
  };
  const records = new OperationRecords(join(folder, 'operations'));
  const fleet = new Fleet({
    project: openProject(engine, { directory, environment, cli: 'npm run pulumi --' }),
    directory,
    records,
    openCluster: (address) => openInstanceCluster({ kubeconfig, ...definedOf(address) }),
    atOnce: 2,
  });
  return { fleet, records };
}

const definedOf = (address: object) =>
  Object.fromEntries(Object.entries(address).filter(([, value]) => value !== undefined));
