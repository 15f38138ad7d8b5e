import { pino } from 'pino';
import { Fleet, OperationRecords } from '../../automation/fleet/index.ts';
import { fakeProject } from '../../automation/fleet/test/fake-project.ts';
import { judgeConfig } from '../src/config.ts';
import { createConsole } from '../src/console.ts';

/** A console that is killed: `node killed-console.ts FOLDER PROJECT PORT MILLISECONDS-OF-A-RUN [LAST-UPDATE]`. A proxy of this machine signs in. */

const [folder = '', directory = '', port = '', milliseconds = '', lastUpdate] = process.argv.slice(2);
const records = new OperationRecords(`${folder}/operations`);
const project = fakeProject(directory, Number(milliseconds), lastUpdate);
const noCluster = () => {
  throw new Error('no cluster here');
};
const fleet = new Fleet({ project, directory, records, openCluster: noCluster, atOnce: 4 });
const given = await createConsole({
  config: judgeConfig(
    {
      publicOrigin: `http://localhost:${port}`,
      signIn: { kind: 'proxy', networks: ['127.0.0.0/8'] },
      operatorGroups: ['operators'],
    },
    'of a test',
  ),
  fleet,
  webDirectory: `${folder}/web`,
  stateDirectory: folder,
  logger: pino({ level: 'silent' }),
});
await given.listen({ host: '127.0.0.1', port: Number(port) });
console.log('ready');
