import {
  describeRecord,
  describeSync,
  type FoundRecord,
  type InstanceSummary,
  isEngineAlive,
  type Operation,
} from '../../automation/fleet/index.ts';
import { runSteps } from '../cli/steps.ts';

/** What the command prints, for a person or for a script. */

/** One JSON object on a line. */
export const printJson = (value: unknown) => void process.stdout.write(`${JSON.stringify(value)}\n`);

/**
 * Waits for an operation and shows it. With `json` each event is a line, the last one `done` or `failed`.
 * @throws its error; with `json` it has been told already
 */
export async function follow<T>(operation: Operation<T>, title: string, isJson: boolean): Promise<T> {
  const warnings: string[] = [];
  const run = async (report: (line: string) => void) => {
    for await (const event of operation) {
      if (isJson) printJson(event);
      else if (event.event === 'said' || event.event === 'waiting') report(event.text);
      else if (event.event === 'warning') warnings.push(event.text);
    }
    await operation.result;
  };
  if (isJson) await run(() => {}).catch((error: Error) => Promise.reject(new ToldError(error.message)));
  else await runSteps([{ id: operation.kind, title, run, hint: whatNow(operation.stack) }]);
  for (const warning of warnings) console.log(`Warning: ${warning}`);
  return operation.result;
}

const whatNow = (name: string) =>
  `npm run instance -- status ${name} says what was begun and how to continue. Saved work is not touched by a failure.`;

/** It was printed as an event. */
export class ToldError extends Error {}

/** `alice  running  3.8.3  https://…` in columns. */
export function listLines(instances: readonly InstanceSummary[]): string[] {
  if (instances.length === 0) return ['There is no instance yet. Make one: npm run instance -- new'];
  const rows = instances.map((one) => [one.name, stateWord(one), one.version ?? '?', one.url ?? '']);
  const header = ['NAME', 'STATE', 'VERSION', 'ADDRESS'];
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  return [header, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function stateWord({ operation, live, lastUpdate, problem }: InstanceSummary): string {
  if (operation?.state === 'running') return `${operation.record.kind}: runs`;
  if (operation?.state === 'killed') return `${operation.record.kind}: killed`;
  if (operation?.state === 'failed') return `${operation.record.kind}: failed`;
  if (problem !== undefined) return 'settings wrong';
  if (lastUpdate === undefined) return 'not made yet';
  return live?.phase ?? 'unknown';
}

export function statusLines(instance: InstanceSummary): string[] {
  const { name, live, operation, problem, url, version, lastUpdate } = instance;
  return [
    `Instance   ${name}, ${stateWord(instance)}`,
    ...(url ? [`Address    ${url}`] : []),
    ...(version ? [`Version    Scipion ${version}`] : []),
    ...(lastUpdate ? [`Changed    ${lastUpdate}`] : []),
    ...(operation ? operationLines(name, operation) : []),
    ...(problem ? [`Problem    ${problem}`] : []),
    ...(live?.reason ? [`Pod        ${live.phase}: ${live.reason}`] : []),
    ...(live?.sync ? describeSync(live.sync) : []),
    ...(live?.warnings ?? []).map((line) => `Event      ${line}`),
  ];
}

const STAGES = {
  waiting: 'nothing was begun yet',
  settings: 'its settings were being written; nothing in the cluster was touched',
  engine: 'the engine was changing the objects in the cluster',
  cluster: 'the pod was being spoken to',
} as const;

/** What was begun, how far it came, and the way on. */
export function operationLines(name: string, { record, state }: FoundRecord): string[] {
  const what = describeRecord(record);
  if (state === 'running') return [`Operation  ${what} runs; it can be watched where it was started`];
  const left = record.underWay.length === 0 ? '' : `, in the middle of: ${record.underWay.join('; ')}`;
  const how =
    state === 'failed'
      ? `Operation  ${what} failed: ${record.failure}`
      : `Operation  ${what} was killed: ${STAGES[record.stage]}${left}`;
  const engine = isEngineAlive(record)
    ? [`           its engine (process ${record.engine?.pid}) still works; what continues waits for its end`]
    : [];
  return [
    how,
    ...engine,
    `           saved work is not touched by this. To continue: ${wayOn(name, { record, state })}`,
    `           to leave it as it is and forget this: npm run instance -- resume ${name} --give-up`,
  ];
}

/** The command that does what was left undone. */
export function wayOn(name: string, { record }: FoundRecord): string {
  const cli = 'npm run instance --';
  if (record.kind === 'create' && (record.stage === 'settings' || record.stage === 'waiting'))
    return `${cli} new ${name}`;
  return record.kind === 'remove' ? `${cli} remove ${name}` : `${cli} resume ${name}`;
}
