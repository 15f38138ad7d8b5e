import * as z from 'zod';
import { isPasswordHash, parsePasswordHash } from '../sidecar/contract/password-hash.ts';
import { GATEWAY_SECRET_KEYS } from '../sidecar/contract/paths.ts';

/**
 * What is drawn once for an instance's gateway and then kept in the state: password, salt, session key. Of a living
 * instance whose state was lost they are told again by its Secret, the password by its hash alone.
 */

/** Logical names of the drawn resources; they never change. @param gateway that of the component */
export const drawnNames = (gateway: string) => ({
  password: `${gateway}-password`,
  salt: `${gateway}-salt`,
  sessionKey: `${gateway}-session-key`,
});

/** Logical name of the component. */
export const GATEWAY = 'scipion-gateway';

/** The gateway's is the only Secret of an instance with these keys. */
const secretSchema = z.object({
  data: z.object({
    [GATEWAY_SECRET_KEYS.passwordHash]: z.base64(),
    [GATEWAY_SECRET_KEYS.sessionKey]: z.base64(),
  }),
});

const textOf = (base64: string) => Buffer.from(base64, 'base64').toString();
const bytesOf = (bytes: Buffer) => ({ base64: bytes.toString('base64'), hex: bytes.toString('hex') });

/** Outputs of the drawn resources by logical name, as the living Secret tells them; empty where it does not. */
export function drawnOf(
  objects: readonly { readonly outputs: unknown }[],
): Record<string, Record<string, string>> {
  const found = objects.map(({ outputs }) => secretSchema.safeParse(outputs).data).find(Boolean);
  if (found === undefined) return {};
  const hash = textOf(found.data[GATEWAY_SECRET_KEYS.passwordHash]);
  if (!isPasswordHash(hash)) return {};
  const names = drawnNames(GATEWAY);
  const key = Buffer.from(textOf(found.data[GATEWAY_SECRET_KEYS.sessionKey]), 'base64');
  return {
    [names.password]: { result: hash },
    [names.salt]: bytesOf(parsePasswordHash(hash).salt),
    [names.sessionKey]: bytesOf(key),
  };
}
