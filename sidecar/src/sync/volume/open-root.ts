import { accessSync, chmodSync, constants, statSync } from 'node:fs';
import { isPermissionDenied } from '../file-errors.ts';
import { ProjectClosedError } from '../sync-errors.ts';

const { R_OK, W_OK, X_OK } = constants;
const OWNER_ALL = 0o700;

/**
 * Whoever closes the folder that all of the project lies in has closed it to this program, too. Nothing can be told of
 * single files then: all of them would be named, or none.
 * @throws ProjectClosedError
 */
export function assertRootOpen(root: string): void {
  if (isOpen(root, R_OK | X_OK)) return;
  throw new ProjectClosedError(statSync(root).mode & 0o777);
}

/**
 * Gives this program back its rights on the folder that all of the project lies in, as `sync prepare` does in a new pod;
 * its rights are in no save. That of another owner stays as it is.
 */
export function openRoot(root: string): void {
  if (isOpen(root, R_OK | W_OK | X_OK)) return;
  try {
    chmodSync(root, (statSync(root).mode & 0o777) | OWNER_ALL);
  } catch (error) {
    if (!isPermissionDenied(error)) throw error;
  }
}

function isOpen(root: string, rights: number): boolean {
  try {
    accessSync(root, rights);
    return true;
  } catch (error) {
    if (!isPermissionDenied(error)) throw error;
    return false;
  }
}
