import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureEngine, stateEnvironment } from '../../automation/engine/index.ts';
import { createIdentity } from '../../console/identity/provider.ts';
import { readUsers } from '../../console/identity/users.ts';
import { judgeConfig } from '../../console/src/config.ts';
import { consoleLogger } from '../../console/src/logger.ts';
import { serveConsole, webDirectoryOf } from '../../console/src/serve.ts';
import { readInstance, STACK_STATE } from '../cli/machine.ts';
import { CONSOLE_FILES, CONSOLE_STATE, OPERATORS, readSettings } from './files.ts';
import { askEmulator } from './tunnel.ts';

/** The process of the console of this machine, with its sign-in: `npm run local` starts and ends it. */

const HOST = '127.0.0.1';
const CLIENT = 'console';

const logger = consoleLogger();
const { consolePort, identityPort, cookieKeys } = await readSettings();
const [origin, issuer] = [`http://localhost:${consolePort}`, `http://localhost:${identityPort}`];
const config = judgeConfig(
  {
    publicOrigin: origin,
    signIn: { kind: 'openid', issuer, clientId: CLIENT, clientSecretFile: CONSOLE_FILES.clientSecret },
    operatorGroups: [OPERATORS],
  },
  'of this machine',
);
const engine = await ensureEngine((line) => logger.info(line));
const context = (await readInstance())?.context ?? undefined;
await serveConsole({
  config,
  engine,
  directory: STACK_STATE,
  environment: await stateEnvironment(engine, STACK_STATE),
  records: join(STACK_STATE, 'operations'),
  state: CONSOLE_STATE,
  host: HOST,
  port: consolePort,
  logger,
  ask: askEmulator(context),
});

const identity = await createIdentity({
  issuer,
  consoleOrigin: origin,
  clientId: CLIENT,
  clientSecret: await readFile(CONSOLE_FILES.clientSecret, 'utf8'),
  users: () => readUsers(CONSOLE_FILES.users),
  cookieKeys,
  webDirectory: webDirectoryOf(CONSOLE_STATE),
});
await identity.app.listen({ host: HOST, port: identityPort });
