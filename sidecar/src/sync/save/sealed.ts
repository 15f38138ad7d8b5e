import { hash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { parseJson } from '../../../contract/parse-json.ts';
import { isNoFile, isSpaceError, type ReadOnlySpace, readAll } from '../../spaces/space.ts';

/**
 * One JSON object on one line whose last field, `sha256`, is the SHA-256 of the object without it. Readers that know
 * nothing of it read an ordinary object.
 */
export function seal(value: object): string {
  const text = JSON.stringify(value);
  return `${text.slice(0, -1)},"sha256":"${hash('sha256', text)}"}\n`;
}

const SEAL = /,"sha256":"([0-9a-f]{64})"\}\s*$/;

/** What was sealed; undefined: damaged. An object without a seal is one of a version that made none. */
export function unseal(text: string): Record<string, unknown> | undefined {
  const found = SEAL.exec(text);
  const json = parse(text);
  if (json === undefined || found === null) return json !== undefined && 'sha256' in json ? undefined : json;
  if (hash('sha256', `${text.slice(0, found.index)}}`) !== found[1]) return undefined;
  const { sha256: _, ...value } = json;
  return value;
}

/** The version that a text says it has, damaged or not; undefined: none. */
export function versionOf(text: string): number | undefined {
  const version = parse(text)?.version;
  return typeof version === 'number' ? version : undefined;
}

function parse(text: string): Record<string, unknown> | undefined {
  const json = parseJson(text);
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined;
}

const READS = 3;
const BETWEEN_READS_MS = 20;

/**
 * Reads a small file until what it says can be used: an answer that was cut on its way looks like a damaged file.
 * @param judge undefined: unusable
 * @returns what was judged last; undefined: read several times, and unusable each time; null: there is no such file
 */
export async function readPatiently<T>(
  space: Pick<ReadOnlySpace, 'read'>,
  path: string,
  maxBytes: number,
  judge: (text: string) => T | undefined,
): Promise<{ readonly value: T | undefined; readonly text: string } | null> {
  let before: string | undefined;
  for (let attempt = 1; ; attempt += 1) {
    let text: string;
    try {
      text = (await readAll(space as ReadOnlySpace, { path }, maxBytes)).toString('utf8');
    } catch (error) {
      if (isSpaceError(error, 'not-found')) return null;
      // Something else lies there, or far more than was ever written.
      if (isNoFile(error) || isSpaceError(error, 'transfer-broken')) text = String(error);
      else throw error;
    }
    const value = judge(text);
    // What comes twice in the same way is what lies there.
    if (value !== undefined || attempt === READS || text === before) return { value, text };
    before = text;
    await pause(BETWEEN_READS_MS);
  }
}
