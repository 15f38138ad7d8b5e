import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { isPasswordHash, verifyPassword } from '../../sidecar/contract/password-hash.ts';

/** Users of the sign-in service that comes along: a file, with a slow hash of each password. */

const userSchema = z.strictObject({
  passwordHash: z.string().refine(isPasswordHash),
  name: z.string(),
  groups: z.array(z.string()).default([]),
});
const usersSchema = z.record(z.string(), userSchema);
export type LocalUser = z.output<typeof userSchema>;
export type LocalUsers = Readonly<Record<string, LocalUser>>;

/** @throws Error; nothing of the content is shown */
export function readUsers(path: string): LocalUsers {
  const found = usersSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (found.success) return found.data;
  throw new Error(
    `${path} holds no users of the sign-in: ${found.error.issues.length} mistakes. Expected: name → passwordHash, name, groups.`,
  );
}

/** Takes as long for a name that is not there. */
export async function isRight(
  user: LocalUser | undefined,
  password: string,
  any: LocalUser,
): Promise<boolean> {
  const isPassword = await verifyPassword(password, (user ?? any).passwordHash);
  return isPassword && user !== undefined;
}
