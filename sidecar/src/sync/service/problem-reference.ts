import { writeFileSync } from 'node:fs';
import {
  type FileProblemCode,
  fileProblemCodeSchema,
  type Problem,
  type ProblemCode,
  problemCodeSchema,
} from '../../../contract/status.ts';
import { SpaceError, type SpaceErrorCode } from '../../spaces/space-error.ts';
import { fileSentence } from '../file-failures.ts';
import { VolumeFullError } from '../restore/free-space.ts';
import { LeaseHeldError } from '../save/lease.ts';
import {
  MissingFilesError,
  NewerFormatError,
  PartialSaveError,
  ProjectClosedError,
  UnsavedWorkError,
  VolumeNotMountedError,
} from '../sync-errors.ts';
import { FILE_NOTES, PROBLEM_NOTES, WARNING_NOTES } from './problem-notes.ts';
import { heldBackProblem, toProblem } from './problems.ts';

/** Writes docs/problems.md from the codes, their notes, and what the engine really says: `npm run docs`. */

export const PROBLEMS_FILE = new URL('../../../../docs/problems.md', import.meta.url);

const SINCE = '2026-05-04T12:00:00.000Z';
const file = {
  path: 'ada/movie.mrc',
  isFolder: false,
  space: 'project',
  since: SINCE,
} as const;
const fileProblem = (during: 'restore' | 'save', code: FileProblemCode) => ({
  total: 1,
  items: [{ ...file, during, code, message: fileSentence(code, { ...file, during }) }],
});

const ofSpace = (code: SpaceErrorCode, detail: string) =>
  toProblem(new SpaceError(code, detail), 'project', SINCE);
const ofError = (error: Error) => toProblem(error, 'project', SINCE);

/** One error of each code, as the engine meets it; `…` for what differs from case to case. */
const SAMPLES: Record<ProblemCode, () => Problem | null> = {
  'onedata-unreachable': () => ofSpace('unreachable', '…'),
  'token-invalid': () => ofSpace('token-invalid', '…'),
  'token-expired': () => ofSpace('token-expired', '…'),
  'token-not-permitted': () => ofSpace('token-not-permitted', '…'),
  'space-unknown': () => ofSpace('space-unknown', '…'),
  'space-not-supported': () => ofSpace('space-not-supported', '…'),
  'volume-full': () => ofError(new VolumeFullError('the project does not fit on its volume', 3e9, 1e9)),
  'space-full': () => ofSpace('space-full', '…'),
  'lease-held': () => ofError(new LeaseHeldError('ada', SINCE, SINCE)),
  'unsaved-work': () =>
    ofError(
      new UnsavedWorkError(
        'the project volume holds 3 files of work that was never saved, made on save 7; the project space has gone on to save 9 by … at …',
      ),
    ),
  'deletions-guarded': () =>
    heldBackProblem(
      { removals: 1234, why: '1234 of 2000 files (62 %) would be removed, more than 50 %' },
      SINCE,
    ),
  'files-unreadable': () => ofError(new PartialSaveError(fileProblem('save', 'no-access'))),
  'files-missing': () => ofError(new MissingFilesError(fileProblem('restore', 'not-in-space'))),
  'project-closed': () => ofError(new ProjectClosedError(0)),
  'volume-not-mounted': () => ofError(new VolumeNotMountedError('the project volume is not at …')),
  'state-damaged': () =>
    ofError(new NewerFormatError('the project space was saved by a newer version of this program (…)')),
  internal: () => ofError(new Error('…')),
};

/** @throws Error for a sample that is of another code */
export function sampleOf(code: ProblemCode): Problem {
  const problem = SAMPLES[code]();
  if (problem?.code !== code) throw new Error(`The sample of ${code} is one of ${problem?.code}.`);
  return problem;
}

function section(code: ProblemCode): string[] {
  const { cause, work, remedy } = PROBLEM_NOTES[code];
  return [
    `### ${code}`,
    '',
    `> ${sampleOf(code).message}`,
    '',
    `- **Cause:** ${cause}`,
    `- **Your work:** ${work}`,
    `- **What to do:** ${remedy}`,
    '',
  ];
}

const row = (code: string, ...cells: string[]) => `| \`${code}\` | ${cells.join(' | ')} |`;

/** The whole reference as Markdown. */
export function problemReference(): string {
  return [
    '# What can be wrong, and what to do',
    '',
    '<!-- Written by `npm run docs` from sidecar/src/sync/service/problem-notes.ts and what the engine says. -->',
    '',
    'The codes are those of `sync status --json` (`problems`). The page and',
    '`sync status` show the sentence, for the space that it concerns; `…` stands for what differs from case to case. What waits',
    'for a change outside continues automatically when that has changed. Exit codes of commands: [sync-commands.md](sync-commands.md).',
    '',
    '## Problems',
    '',
    ...problemCodeSchema.options.flatMap(section),
    '## Files that are left out',
    '',
    'A file that cannot be copied never stops the others. Each is named with one of these codes (`fileProblems`).',
    '',
    '| code | what it is | what it says |',
    '|---|---|---|',
    ...fileProblemCodeSchema.options.map((code) => {
      const during = ['not-in-space', 'put-away', 'damaged'].includes(code) ? 'restore' : 'save';
      return row(code, FILE_NOTES[code], fileSentence(code, { ...file, during }));
    }),
    '',
    '## Warnings',
    '',
    'Nothing waits for these (`warnings`).',
    '',
    '| code | what it means |',
    '|---|---|',
    ...Object.entries(WARNING_NOTES).map(([code, text]) => row(code, text)),
    '',
  ].join('\n');
}

if (import.meta.main) writeFileSync(PROBLEMS_FILE, problemReference());
