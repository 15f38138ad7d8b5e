import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../../automation/tools/replace-file.ts';
import { hashPassword } from '../../sidecar/contract/password-hash.ts';
import { STATE } from '../cli/machine.ts';

/** What console and sign-in of this machine keep between two starts, all of it for its user alone. */

export const CONSOLE_STATE = join(STATE, 'console');
/** Who signs in to the console of this machine; the instance of `npm run local` is theirs. */
export const DEMO_USER = 'demo';
export const OPERATORS = 'operators';

const FILES = {
  settings: join(CONSOLE_STATE, 'settings.json'),
  password: join(CONSOLE_STATE, 'password'),
  users: join(CONSOLE_STATE, 'users.json'),
  clientSecret: join(CONSOLE_STATE, 'client-secret'),
  record: join(CONSOLE_STATE, 'running.json'),
  log: join(CONSOLE_STATE, 'console.log'),
} as const;

export { FILES as CONSOLE_FILES };

const settingsSchema = z.strictObject({
  consolePort: z.int(),
  identityPort: z.int(),
  cookieKeys: z.array(z.string()).min(1),
});
export type ConsoleSettings = z.infer<typeof settingsSchema>;

/** Ports of 127.0.0.1 that are tried first. */
const USUAL = { consolePort: 8444, identityPort: 8445 } as const;

export async function readSettings(): Promise<ConsoleSettings> {
  return settingsSchema.parse(JSON.parse(await readFile(FILES.settings, 'utf8')));
}

/**
 * Secrets are drawn once, so that who is signed in stays so over a restart.
 * @param choose a port that is free, the usual one if it is
 */
export async function ensureFiles(choose: (usual: number) => Promise<number>): Promise<ConsoleSettings> {
  await mkdir(CONSOLE_STATE, { recursive: true, mode: 0o700 });
  const before = await readSettings().catch(() => undefined);
  const settings: ConsoleSettings = {
    cookieKeys: before?.cookieKeys ?? [secret()],
    consolePort: await choose(before?.consolePort ?? USUAL.consolePort),
    identityPort: await choose(before?.identityPort ?? USUAL.identityPort),
  };
  await replaceFile(FILES.settings, JSON.stringify(settings));
  if (!existsSync(FILES.clientSecret)) await replaceFile(FILES.clientSecret, secret());
  if (!existsSync(FILES.users) || !existsSync(FILES.password)) {
    const password = secret();
    const demo = { passwordHash: await hashPassword(password), name: 'Demo', groups: [OPERATORS] };
    await replaceFile(FILES.password, password);
    await replaceFile(FILES.users, JSON.stringify({ [DEMO_USER]: demo }));
  }
  return settings;
}

/** Of the user `demo`. @throws Error where there was never a console */
export async function consolePassword(): Promise<string> {
  try {
    return await readFile(FILES.password, 'utf8');
  } catch {
    throw new Error('There is no console on this machine yet. Start it: npm run local');
  }
}

const secret = () => randomBytes(18).toString('base64url');
