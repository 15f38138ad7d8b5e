import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { fileToken, openOnedataSpace } from '../../src/spaces/onedata/index.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import type { Space } from '../../src/spaces/space.ts';

const caseSchema = z.strictObject({
  host: z.string(),
  spaceId: z.string(),
  /** Mode 0600; the token itself is nowhere else. */
  tokenFile: z.string(),
  certificateAuthorities: z.string().optional(),
  /** In the root of the space, made and removed by the run. */
  folder: z.string(),
});
/** What the command hands to the tests, in the file that `ONEDATA_CHECK` names. */
export type CheckCase = z.infer<typeof caseSchema>;

export const readCase = (file: string): CheckCase => caseSchema.parse(JSON.parse(readFileSync(file, 'utf8')));

export function openCase({ host, spaceId, tokenFile, certificateAuthorities }: CheckCase): Space {
  const space = openOnedataSpace({
    host,
    spaceId,
    token: fileToken(tokenFile),
    ...(certificateAuthorities === undefined ? {} : { certificateAuthorities }),
  });
  // Passing faults of a real network are repeated; what the contract expects to fail does not wait long.
  return withRetry(space, { retries: 3, firstWaitMs: 100, maxWaitMs: 2000 });
}
