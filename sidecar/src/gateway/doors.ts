import { createHash } from 'node:crypto';
import type { GatewayConfig } from '../../contract/config.ts';
import { SIGN_IN_CALLBACK_PATH } from '../../contract/paths.ts';
import type { LoginDoors } from './pages.ts';
import { DOORS } from './sessions.ts';
import type { SecretStore } from './settings.ts';
import { SignIn } from './sign-in.ts';

/** By which ways one comes in, by the configuration. */
export interface Doors extends LoginDoors {
  /** Names of the doors whose sessions are good. */
  readonly open: ReadonlySet<string>;
  readonly signIn: { readonly signIn: SignIn; readonly door: string } | undefined;
}

export function doorsOf({ config, secrets }: { config: GatewayConfig; secrets: SecretStore }): Doors {
  const { passwordLogin: password = true, signIn: settings, publicOrigin } = config;
  const open = [DOORS.console, ...(password ? [DOORS.password] : [])];
  if (settings === undefined)
    return { password, signInHost: undefined, signIn: undefined, open: new Set(open) };
  // Who may use it is part of its name: sessions of people who were taken off the list end with it.
  const { certificateAuthorities: _, scopes: __, ...admitted } = settings;
  const digest = createHash('sha256').update(JSON.stringify(admitted)).digest('base64url').slice(0, 16);
  const door = `${DOORS.signIn}:${digest}`;
  const signIn = new SignIn({
    config: settings,
    clientSecret: () => secrets.current().signInClientSecret,
    redirectUri: `${publicOrigin}${SIGN_IN_CALLBACK_PATH}`,
  });
  return { password, signInHost: signIn.host, signIn: { signIn, door }, open: new Set([...open, door]) };
}
