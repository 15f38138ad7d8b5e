import { existsSync } from 'node:fs';
import { chmod, link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { EngineError, type ResourceOptions } from './protocol.ts';
import { decryptText, encryptText, newKey } from './secrets.ts';
import { isProperties, type Properties, Reference, Secret, Unknown, type Value } from './values.ts';

export type StoredOptions = Pick<
  ResourceOptions,
  | 'parent'
  | 'dependencies'
  | 'propertyDependencies'
  | 'protect'
  | 'retainOnDelete'
  | 'deleteBeforeReplace'
  | 'customTimeouts'
  | 'deletedWith'
  | 'provider'
  | 'hooks'
>;

/** One resource as it was last seen. */
export interface ResourceState {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  readonly id: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
  readonly options: StoredOptions;
  /**
   * What was under way when this was written, and so perhaps happened, perhaps not: `create` (the object may exist
   * and then is ours), `wait` (it exists, was not ready), `update`, `delete`.
   */
  readonly pending?: 'create' | 'wait' | 'update' | 'delete';
  /** Another resource has taken its place; it only waits to be deleted. */
  readonly replaced?: boolean;
}

export interface StackState {
  readonly project: string;
  readonly stack: string;
  /** In the order of creation: each after those it depends on. */
  readonly resources: readonly ResourceState[];
  readonly outputs: Properties;
}

const FORMAT = 1;
const SECRET_KEY = 'encrypted';
const REFERENCE_KEY = 'reference';
/** Marks an object of the file that stands for a value JSON does not have. */
const MARK = '$engine';

const fileSchema = z.object({
  format: z.literal(FORMAT),
  project: z.string(),
  stack: z.string(),
  resources: z.array(z.looseObject({ urn: z.string(), type: z.string(), name: z.string() })),
  outputs: z.record(z.string(), z.unknown()),
});

/**
 * The file with a stack's state: JSON, mode 0600, replaced as a whole at each change; secrets in it are encrypted
 * with the key that lies beside it (mode 0600 too). An unreadable file is an error, never an empty stack.
 */
export class StateFile {
  readonly #path: string;
  readonly #key: Uint8Array;
  #writing: Promise<void> = Promise.resolve();
  /** Value → its encrypted form, so that an unchanged secret keeps its text from write to write. */
  readonly #sealed = new Map<string, string>();

  private constructor(path: string, key: Uint8Array) {
    this.#path = path;
    this.#key = key;
  }

  /** Opens the state in `directory`; makes the directory and the key where they are missing. */
  static async open(directory: string): Promise<StateFile> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, 'state.json');
    const keyPath = join(directory, 'key');
    if (!existsSync(keyPath)) {
      if (existsSync(path)) {
        throw new EngineError(
          `${keyPath} is missing but ${path} exists. Expected: the key its secrets were encrypted with. Put the key back.`,
        );
      }
      await writeAtomically(keyPath, `${Buffer.from(newKey()).toString('base64')}\n`);
    }
    const key = Buffer.from((await readFile(keyPath, 'utf8')).trim(), 'base64');
    if (key.length !== 32)
      throw new EngineError(`${keyPath}: found ${key.length} bytes, expected 32 in base64.`);
    return new StateFile(path, key);
  }

  /** The state; of a stack that was never updated, an empty one. */
  async read(project: string, stack: string): Promise<StackState> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        return { project, stack, resources: [], outputs: {} };
      throw error;
    }
    const content = this.#parse(text);
    if (content.project !== project || content.stack !== stack) {
      throw new EngineError(
        `${this.#path} belongs to stack ${content.stack} of ${content.project}, expected ${stack} of ${project}.`,
      );
    }
    return {
      project,
      stack,
      resources: content.resources.map((entry) => this.#parseResource(entry)),
      outputs: this.#parseValue(content.outputs) as Properties,
    };
  }

  #parse(text: string): z.infer<typeof fileSchema> {
    try {
      return fileSchema.parse(JSON.parse(text));
    } catch (cause) {
      throw new EngineError(
        `${this.#path} is not a readable state: ${cause instanceof Error ? cause.message : ''}\nNothing was changed. Restore the file; ${this.#path}.previous is the version before the last change.`,
        { cause },
      );
    }
  }

  #parseResource(entry: Record<string, unknown>): ResourceState {
    return {
      ...(entry as unknown as ResourceState),
      inputs: this.#parseValue(entry.inputs) as Properties,
      outputs: this.#parseValue(entry.outputs) as Properties,
    };
  }

  /** Writes the state; calls made while a write runs are done one after the other. */
  write(state: StackState): Promise<void> {
    const content = {
      format: FORMAT,
      project: state.project,
      stack: state.stack,
      resources: state.resources.map((resource) => ({
        ...resource,
        inputs: this.#printValue(resource.inputs),
        outputs: this.#printValue(resource.outputs),
      })),
      outputs: this.#printValue(state.outputs),
    };
    const text = `${JSON.stringify(content, null, 2)}\n`;
    const write = this.#writing.then(async () => {
      await keepPrevious(this.#path);
      await writeAtomically(this.#path, text);
    });
    this.#writing = write.catch(() => undefined);
    return write;
  }

  async remove(): Promise<void> {
    await this.#writing;
    await rm(this.#path, { force: true });
    await rm(`${this.#path}.previous`, { force: true });
  }

  #printValue(value: Value): unknown {
    if (value instanceof Secret) {
      const text = JSON.stringify(this.#printValue(value.value));
      const sealed = this.#sealed.get(text) ?? encryptText(this.#key, text);
      this.#sealed.set(text, sealed);
      return { [MARK]: SECRET_KEY, text: sealed };
    }
    if (value instanceof Unknown) return null;
    if (value instanceof Reference) {
      return { [MARK]: REFERENCE_KEY, urn: value.urn, id: this.#printValue(value.id) };
    }
    if (Array.isArray(value)) return value.map((part) => this.#printValue(part));
    if (!isProperties(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, this.#printValue(part)]));
  }

  #parseValue(stored: unknown): Value {
    if (Array.isArray(stored)) return stored.map((part) => this.#parseValue(part));
    if (typeof stored !== 'object' || stored === null) return (stored ?? null) as Value;
    const entry = stored as Record<string, unknown>;
    if (entry[MARK] === SECRET_KEY) {
      const text = decryptText(this.#key, String(entry.text));
      this.#sealed.set(text, String(entry.text));
      return new Secret(this.#parseValue(JSON.parse(text)));
    }
    if (entry[MARK] === REFERENCE_KEY) return new Reference(String(entry.urn), this.#parseValue(entry.id));
    return Object.fromEntries(Object.entries(entry).map(([key, part]) => [key, this.#parseValue(part)]));
  }
}

/** A second name for the content that is about to be replaced; `path` itself is there at every moment. */
async function keepPrevious(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const temporary = `${path}.${process.pid}.previous`;
  await rm(temporary, { force: true });
  await link(path, temporary);
  await rename(temporary, `${path}.previous`);
}

/** New content under a temporary name, on disk, then renamed over the old: a crash leaves one of the two whole. */
async function writeAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(temporary, 0o600);
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}
