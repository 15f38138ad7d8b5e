import { FOLDERS, SECRET_FILES, type SiteSecretKey } from './names.ts';

interface Given {
  readonly host: string;
  /** As the stack has it. */
  readonly given: object;
  readonly secretKeys: readonly SiteSecretKey[];
}

const secretFile = (key: SiteSecretKey) => `${FOLDERS.secrets}/${SECRET_FILES[key]}`;

export const publicOrigin = ({ host }: Pick<Given, 'host'>) => `https://${host}`;

/** Configuration of the console as docs/console.md has it, with the files of the secrets that there are. */
export function consoleSettings({ host, given, secretKeys }: Given) {
  const { signIn, webhook } = given as { signIn?: object; webhook?: object };
  const file = (key: SiteSecretKey, name: string) =>
    secretKeys.includes(key) ? { [name]: secretFile(key) } : {};
  return {
    ...given,
    publicOrigin: publicOrigin({ host }),
    signIn: { ...signIn, ...file('signInClientSecret', 'clientSecretFile') },
    ...(webhook === undefined ? {} : { webhook: { ...webhook, ...file('webhookToken', 'tokenFile') } }),
  };
}
