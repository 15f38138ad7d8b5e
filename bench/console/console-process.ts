import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { Fleet, OperationRecords } from '../../automation/fleet/index.ts';
import { fakeProject } from '../../automation/fleet/test/fake-project.ts';
import { judgeConfig } from '../../console/src/config.ts';
import { createConsole } from '../../console/src/console.ts';
import { fakeCluster } from '../../console/test/helpers/fake-cluster.ts';
import { buildConsoleWeb } from '../../console/web/build.ts';

/**
 * A console of so many instances with operations under way, none of which is deployed: `node console-process.ts FOLDER
 * PORT INSTANCES OPERATIONS`. Says `ready` when they run, and its memory at each line that it is sent.
 */

const [folder = '', port = '', instances = '', operations = ''] = process.argv.slice(2);
const directory = join(folder, 'project');
mkdirSync(directory, { recursive: true });
const cluster = fakeCluster();
for (let index = 0; index < Number(instances); index += 1) {
  const name = `instance-${String(index).padStart(3, '0')}`;
  const config = {
    'scipion:sourceSpaceId': 'raw',
    'scipion:projectSpaceId': `work-${name}`,
    'scipion:sourceToken': { secure: 'ciphertext' },
    'scipion:projectToken': { secure: 'ciphertext' },
    'fleet:owner': index < 5 ? 'jane' : `user-${index}`,
  };
  writeFileSync(join(directory, `Pulumi.${name}.yaml`), stringify({ config }));
  cluster.states.set(name, 'running');
}
const project = fakeProject(directory, 600_000, new Date().toISOString());
const fleet = new Fleet({
  project,
  directory,
  records: new OperationRecords(join(folder, 'operations')),
  openCluster: cluster.open,
  atOnce: Number(operations),
});
await buildConsoleWeb(join(folder, 'web'));
const given = await createConsole({
  config: judgeConfig(
    {
      publicOrigin: `http://localhost:${port}`,
      signIn: { kind: 'proxy', networks: ['127.0.0.0/8'] },
      operatorGroups: ['operators'],
    },
    'of a benchmark',
  ),
  fleet,
  webDirectory: join(folder, 'web'),
  stateDirectory: folder,
  logger: pino({ level: 'silent' }),
});
await given.listen({ host: '127.0.0.1', port: Number(port) });
for (let index = 0; index < Number(operations); index += 1) {
  const user = { id: `user-${10 + index}`, name: 'somebody', isOperator: false };
  await given.operations.begin(user, () =>
    fleet.change(`instance-${String(10 + index).padStart(3, '0')}`, {}),
  );
}
console.log('ready');
process.stdin.on('data', () => console.log(`rss ${process.memoryUsage().rss}`));
