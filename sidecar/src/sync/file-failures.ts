import {
  type FileProblem,
  type FileProblemCode,
  type FileProblems,
  MAX_FILE_PROBLEMS,
} from '../../contract/status.ts';
import type { Clock } from '../clock.ts';
import type { Side } from '../spaces/space.ts';
import { isSpaceError, type ReadOnlySpace, SpaceError } from '../spaces/space.ts';
import { assertWritable } from './assert-writable.ts';
import { classify, FileError, type Operation } from './file-errors.ts';

/** So many failures that could concern everything, and no success between them: they do. */
const IN_A_ROW = 16;

interface Context {
  readonly space: Pick<ReadOnlySpace, 'check'>;
  readonly clock: Clock;
  /** Folder of the volume for temporary files; absent: nothing is put on a volume. */
  readonly scratch?: string;
  readonly signal?: AbortSignal;
}

/**
 * The files and folders that one stage-in, restore or save leaves out. Keeps the number of all and the names of the first
 * ones, so that memory does not grow with them.
 */
export class FileFailures {
  readonly side: Side;
  readonly during: FileProblem['during'];
  readonly #context: Context;
  readonly #items = new Map<string, FileProblem>();
  #count = 0;
  /** Of those, the ones that are no fault, and of these the large ones that come over several saves. */
  #passing = 0;
  #sending = 0;
  #unsure = 0;

  constructor(context: Context, side: Side, during: FileProblem['during']) {
    this.#context = context;
    this.side = side;
    this.during = during;
  }

  get count(): number {
    return this.#count;
  }

  /** Without those that are only being written or sent just now, which is no fault. */
  get faults(): number {
    return this.#count - this.#passing;
  }

  /** Large files that come over several saves. */
  get sending(): number {
    return this.#sending;
  }

  get problems(): FileProblems {
    return { total: this.#count, items: [...this.#items.values()] };
  }

  /** Everything is looked at anew. */
  reset(): void {
    this.#items.clear();
    [this.#count, this.#passing, this.#sending, this.#unsure] = [0, 0, 0, 0];
  }

  /** A call about a single file went well, so whatever fails next is not everything. */
  succeeded(): void {
    this.#unsure = 0;
  }

  /**
   * Notes what an error leaves out. Where it may concern everything, the space or the volume is tried with something else.
   * @param askSpace what tells whether the space does for others what it did not do here. @default it answers for itself
   * @throws the error, or that of the trial, where it concerns everything
   */
  async note(error: unknown, operation: Operation, askSpace?: () => Promise<void>): Promise<void> {
    this.#context.signal?.throwIfAborted();
    if (!(error instanceof SpaceError)) return this.noteLocal(error, operation);
    if (classify(error, operation).scope === 'unsure') {
      // Files that may not be read are no trouble of the space, however many there are.
      if (operation.does === 'send' || !isSpaceError(error, 'token-not-permitted', 'space-unknown'))
        this.#countUnsure(error);
      const { space, signal } = this.#context;
      await (askSpace?.() ?? space.check({ once: true, ...(signal === undefined ? {} : { signal }) }));
    }
    this.#add(error, operation);
  }

  /** As `note`, for what happens on the volume. @throws the error, where it concerns everything */
  noteLocal(error: unknown, operation: Operation): void {
    if (classify(error, operation).scope === 'unsure') {
      const { scratch } = this.#context;
      if (scratch === undefined) throw error;
      this.#countUnsure(error);
      assertWritable(scratch, operation.bytes ?? 0);
    }
    this.#add(error, operation);
  }

  #countUnsure(error: unknown): void {
    this.#unsure += 1;
    if (this.#unsure >= IN_A_ROW) throw error;
  }

  /** One by name, without an error. */
  add(path: string, isFolder: boolean, code: FileProblemCode, isSide = false): void {
    // Listing and fetching may both meet it.
    if (this.#items.has(path)) return;
    this.#count += 1;
    if (isPassing(code)) this.#passing += 1;
    if (code === 'sending') this.#sending += 1;
    if (this.#items.size >= MAX_FILE_PROBLEMS) return;
    const since = new Date(this.#context.clock.now()).toISOString();
    const { side: space, during } = this;
    const message = fileSentence(code, { isFolder, space, during, isSide });
    this.#items.set(path, { path, isFolder, space, during, code, message, since });
  }

  #add(error: unknown, operation: Operation): void {
    const { scope, code } = classify(error, operation);
    if (scope === 'everything') throw error;
    const beside = error instanceof FileError ? error.beside : null;
    const isFolder = scope === 'folder' || operation.does === 'list';
    this.add(operation.path + (beside ?? ''), isFolder, code, beside !== null);
  }
}

/** It is being written or sent just now, and comes with a later save by itself. */
export function isPassing(code: FileProblemCode): boolean {
  return code === 'changing' || code === 'sending';
}

type FileFault = Pick<FileProblem, 'isFolder' | 'space' | 'during'> & {
  /** A log or journal: the database beside it is not saved because of it. */
  readonly isSide?: boolean;
};

/** Pure. What is wrong with a file, and what a scientist can do. */
export function fileSentence(code: FileProblemCode, { isFolder, space, during, isSide }: FileFault): string {
  const what = isFolder ? 'This folder' : 'This file';
  const isSave = during === 'save';
  const where = isSave ? 'on the project volume' : `in the ${space} space`;
  const again = AGAIN[during];
  switch (code) {
    case 'no-access':
      if (isSide)
        return `This file may not be read ${where}. The database beside it is not saved without it: its newest content may be in it alone. Make it readable (chmod u+rw), and do not remove it. ${again}`;
      return isSave
        ? `${what} may not be read ${where}. Make it readable (chmod u+rwX), or remove it. ${again}`
        : `${what} may not be read ${where}, or its place on the volume may not be written. Make the folder of its place writable (chmod u+rwX), or ask its owner in the space for the right to read it. ${again}`;
    case 'disk-fault':
      return `The disk of the ${space} volume fails at it (input/output error). ${isSave ? 'Remove it or replace it by a copy, and tell' : 'Tell'} your administrators about the disk. ${again}`;
    case 'space-fault':
      return `Onedata fails at it and serves other files. This may pass; otherwise tell the site of the ${space} space. ${again}`;
    case 'changing':
      return isSave
        ? `${what} was written while it was read. ${again}`
        : `${what} was written ${where} while it was copied. It comes as soon as it stands still. ${again}`;
    case 'sending':
      return `${what} is large, so it is sent over several saves. Everything else is saved between them; what is sent of it is not sent again.`;
    case 'database-locked':
      return `This database is locked by another program, so it could not be copied. Close what uses it. ${again}`;
    case 'name-too-long':
      return isSave
        ? `The name or the path is longer than can be read. Give it, or a folder above it, a shorter name. ${again}`
        : `The name or the path is longer than the volume can hold. Rename it in the space. ${again}`;
    case 'in-the-way':
      return `Something else is at its place. Move that away, or give one of the two another name. ${again}`;
    case 'no-room':
      return isSave
        ? `There is no room on the project volume for the copy of this database that a save needs. Remove what you no longer need. ${again}`
        : `There is no room for it on the ${space} volume. Remove what you no longer need. ${again}`;
    case 'not-in-space':
      return `The space lists it and does not give its content. Look for an older version (sync trash), or tell the site of the ${space} space. ${again}`;
    case 'put-away':
      return `A save that could not be completed has taken it out of the ${space} space, and this volume does not have it. Open the desktop without it, then bring it back from the trash of the space: sync trash --restore, with its path.`;
    case 'damaged':
      return `Its content ${where} is not what was saved. Look for an older version (sync trash), or tell the site of the ${space} space. ${again}`;
    case 'not-possible':
      return `Something about it cannot be copied. Remove it, or make it again under another name. ${again}`;
  }
}

const AGAIN: Record<FileProblem['during'], string> = {
  'stage-in': 'It is tried again from time to time; all other files are there.',
  restore: 'It stays in the space as it is, and the next start tries it again.',
  save: 'The next save tries it again; all other files are saved.',
};
