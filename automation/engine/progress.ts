import type { EngineEvent, OpType } from '@pulumi/pulumi/automation/index.js';
import { type EngineStep, plainText, stepOf } from './steps.ts';

/** What the engine does, from its events as they come. */

const DOING: Readonly<Partial<Record<OpType, string>>> = {
  create: 'creating',
  update: 'changing',
  delete: 'deleting',
  replace: 'replacing',
  'create-replacement': 'recreating',
  'delete-replaced': 'deleting the old',
  read: 'reading',
  refresh: 'looking at',
  import: 'taking over',
};

/** Something that happens to one resource. */
export interface Step {
  /** `create`, `update`, `delete`, … */
  readonly operation: string;
  readonly kind: string;
  readonly name: string;
  readonly state: 'begun' | 'done' | 'failed';
}

/** Shown at most at once; what waits longest comes first. */
const MAX_LINES = 4;

interface Operation {
  readonly what: string;
  readonly since: number;
  waitsFor: string;
}

export class Progress {
  /** Errors in the engine's and the program's own words, without repetition. */
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  /** Resources that are changed, by kind of change. */
  readonly counts = new Map<OpType, number>();
  readonly steps: EngineStep[] = [];
  readonly #running = new Map<string, Operation>();
  readonly #report: (text: string) => void;
  #said = '';
  #told = '';

  readonly #onStep: (step: Step) => void;

  constructor(report: (text: string) => void, onStep: (step: Step) => void = () => {}) {
    this.#report = report;
    this.#onStep = onStep;
  }

  take(event: EngineEvent, now = Date.now()): void {
    const {
      resourcePreEvent: begun,
      resOutputsEvent: done,
      resOpFailedEvent: failed,
      diagnosticEvent: said,
    } = event;
    const step = stepOf(event);
    if (step) this.steps.push(step);
    if (begun) this.#begin(begun.metadata, begun.planning === true, now);
    if (done) this.#end(done.metadata, 'done');
    if (failed) this.#end(failed.metadata, 'failed');
    if (said) this.#note(said.severity, plainText(said.message), said.urn, said.ephemeral === true);
    this.#print(now);
  }

  #begin({ op, urn, type }: { op: OpType; urn: string; type: string }, isPlan: boolean, now: number): void {
    if (!type.includes('/')) return; // the stack, components and providers are nothing outside the state
    if (op !== 'same') this.counts.set(op, (this.counts.get(op) ?? 0) + 1);
    const doing = DOING[op];
    if (doing === undefined || isPlan) return;
    const [kind, name] = [type.split(':').at(-1) ?? type, urn.split('::').at(-1) ?? urn];
    this.#running.set(urn, { what: `${doing} ${kind} ${name}`, since: now, waitsFor: '' });
    this.#onStep({ operation: op, kind, name, state: 'begun' });
  }

  #end({ op, urn, type }: { op: OpType; urn: string; type: string }, state: 'done' | 'failed'): void {
    if (!this.#running.delete(urn)) return;
    const [kind, name] = [type.split(':').at(-1) ?? type, urn.split('::').at(-1) ?? urn];
    this.#onStep({ operation: op, kind, name, state });
  }

  #note(severity: string, text: string, urn: string | undefined, isEphemeral: boolean): void {
    if (text === '' || severity === 'debug') return;
    const keep = (list: string[]) => void (list.includes(text) || list.push(text));
    const operation = urn === undefined ? undefined : this.#running.get(urn);
    if (severity === 'error') keep(this.errors);
    else if (severity === 'warning' && !isEphemeral) keep(this.warnings);
    else if (operation) operation.waitsFor = text;
    else if (!isEphemeral) this.#said = text;
  }

  #print(now: number): void {
    const running = this.underWay(now).slice(0, MAX_LINES);
    const lines = [...(this.#said === '' ? [] : [this.#said]), ...running];
    const text = lines.join('\n');
    if (text !== '' && text !== this.#told) this.#report(text);
    this.#told = text;
  }

  /** What is being done now, the oldest first: `creating StatefulSet scipion (12 s): 0 of 1 pods are ready`. */
  underWay(now = Date.now()): string[] {
    return [...this.#running.values()]
      .toSorted((left, right) => left.since - right.since)
      .map(({ what, since, waitsFor }) => {
        const seconds = Math.round((now - since) / 1000);
        return `${what}${seconds > 0 ? ` (${seconds} s)` : ''}${waitsFor === '' ? '' : `: ${waitsFor}`}`;
      });
  }
}
