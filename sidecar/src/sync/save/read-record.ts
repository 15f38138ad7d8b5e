import { parseJson } from '../../../contract/parse-json.ts';
import { isNoFile, type Space, type SpaceEntry, SpaceError } from '../../spaces/space.ts';
import { NewerFormatError, refuseNewer } from '../sync-errors.ts';
import { textLines } from '../text-lines.ts';
import {
  COMMIT_VERSION,
  type CommitHeader,
  commitHeaderSchema,
  RecordSum,
  type Step,
  stepSchema,
} from './commit-record.ts';
import { versionOf } from './sealed.ts';

/** A commit record that is not what was written. */
export class DamagedRecordError extends Error {
  override readonly name = 'DamagedRecordError';
  /** A clause: what is wrong with it. */
  readonly why: string;
  /** Of the save, where the record still says it. */
  readonly saveId: string | null;

  constructor(path: string, why: string, saveId: string | null) {
    super(
      `the commit record ${path} in the project space cannot be used: ${why}. It is made again at the next start`,
    );
    this.why = why;
    this.saveId = saveId;
  }
}

const RECORD_READS = 3;

/**
 * Reads a record from end to end before anything is done by it. An answer that was cut on its way looks like a damaged one.
 * @throws DamagedRecordError
 */
export async function checkRecord(space: Space, record: SpaceEntry): Promise<CommitHeader> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readOnce(space, record);
    } catch (error) {
      if (!(error instanceof DamagedRecordError) || attempt === RECORD_READS) throw error;
    }
  }
}

async function readOnce(space: Space, record: SpaceEntry): Promise<CommitHeader> {
  let header: CommitHeader | null = null;
  let [steps, unknown] = [0, 0];
  const sum = new RecordSum();
  const damaged = (why: string): DamagedRecordError =>
    new DamagedRecordError(record.path, why, header?.saveId ?? null);
  for await (const line of recordText(space, record, damaged)) {
    const isChecksum = sum.add(line);
    if (header === null) {
      // That version alone can finish what it has decided.
      refuseNewer(record.path, versionOf(line), COMMIT_VERSION, NEWER, USE_NEWER);
      const parsed = commitHeaderSchema.safeParse(parseJson(line));
      if (!parsed.success) throw damaged('its first line is not one of a commit record');
      header = parsed.data;
    } else if (header.version === 1 || !isChecksum) {
      steps += 1;
      if (!stepSchema.safeParse(parseJson(line)).success) unknown ||= steps + 1;
      // Junk can have millions of lines.
      if (steps > header.steps) break;
    }
  }
  if (header === null) throw damaged('it is empty');
  const isRight = header.version > 1 && steps === header.steps && sum.isRight();
  // As it was written, it is no damage.
  if (unknown > 0 && isRight)
    throw new NewerFormatError(`${NEWER} (line ${unknown} of ${record.path} is no known step). ${USE_NEWER}`);
  if (unknown > 0) throw damaged(`its line ${unknown} is no known step`);
  if (steps !== header.steps) throw damaged(`it has ${steps} of ${header.steps} steps`);
  if (header.version > 1 && !isRight) throw damaged('it is not what its checksum says');
  return header;
}

const NEWER = 'a save of a newer version of this program is not finished in the project space';
const USE_NEWER = 'Nothing of it was changed. Use that version, or a newer one, which finishes it';

async function* recordText(
  space: Space,
  record: SpaceEntry,
  damaged: (why: string) => DamagedRecordError,
): AsyncIterable<string> {
  try {
    yield* textLines(space.read(record));
  } catch (error) {
    throw isNoFile(error) ? damaged(`it is no file: ${error.message}`) : error;
  }
}

/** @throws transfer-broken where this reading of the record was not the one that was checked; done again, it goes on */
export async function* recordSteps(
  space: Space,
  record: SpaceEntry,
  { steps, version }: CommitHeader,
): AsyncIterable<Step> {
  let number = 0;
  const sum = new RecordSum();
  for await (const line of textLines(space.read(record))) {
    sum.add(line);
    const step = number > 0 && number <= steps ? stepSchema.safeParse(parseJson(line)) : null;
    if (step?.success === false) throw otherRecord(record);
    if (step !== null) yield step.data;
    number += 1;
  }
  if (number <= steps || (version > 1 && !sum.isRight())) throw otherRecord(record);
}

function otherRecord({ path }: SpaceEntry): SpaceError {
  return new SpaceError('transfer-broken', `${path} came otherwise the second time it was read`, { path });
}
