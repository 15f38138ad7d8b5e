import { execa } from 'execa';
import {
  type ChangeResult,
  FORM_KEYS,
  type Operation,
  presetOf,
  readValues,
  type UpResult,
} from '../../automation/fleet/index.ts';
import { NAMES } from '../../components/names.ts';
import { CLI } from '../cli/instance.ts';
import { STACK } from '../cli/machine.ts';
import { type AnswerOptions, FLAGS, givenAnswers, pulumiCommands } from './answers.ts';
import { openPlace, type Place } from './place.ts';
import { terminalPrompts } from './prompts.ts';
import { askNew, askSetting, askToken } from './questions.ts';
import { follow, listLines, operationLines, printJson, stateWord, statusLines, wayOn } from './show.ts';

/** The commands of `npm run instance`, each as thin as it can be: questions, one call of the fleet, and what is printed. */

export interface Common {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly project?: string;
}

/** Nobody answers a script, and what is asked of it must not wait. */
export const isAsking = ({ json, yes }: Common) =>
  json !== true && yes !== true && process.stdin.isTTY === true && process.stderr.isTTY === true;

const print = (common: Common, value: unknown, lines: readonly string[]) => {
  if (common.json) printJson(value);
  else if (lines.length > 0) console.log(lines.join('\n'));
};

/** Ctrl-C where the engine does not run, which has a way of its own: what is begun is told, with the way on. */
function onInterrupt(place: Place, name: string): () => void {
  const interrupt = () => {
    const found = place.records.find(name);
    if (found?.record.stage === 'engine') return;
    const lines =
      found === undefined ? ['Nothing was begun.'] : operationLines(name, { ...found, state: 'killed' });
    process.stderr.write(`\n${lines.join('\n')}\n`);
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  };
}

async function perform<T>(
  place: Place,
  name: string,
  title: string,
  common: Common,
  start: () => Operation<T>,
): Promise<T> {
  const release = onInterrupt(place, name);
  try {
    return await follow(start(), title, common.json === true);
  } finally {
    release();
  }
}

function refuseDemo(name: string, command: string): void {
  if (name !== STACK) return;
  throw new Error(`"${STACK}" is the instance of npm run local: npm run local -- ${command}`);
}

export async function create(given: string | undefined, options: Common & AnswerOptions): Promise<void> {
  const prompts = isAsking(options) ? terminalPrompts : undefined;
  const answers = await givenAnswers(options);
  const preset = (process.env.USER ?? '').toLowerCase().replaceAll(/[^a-z0-9-]/g, '-') || undefined;
  const name =
    given ??
    (await prompts?.text('Name of the instance:', preset === 'root' ? undefined : preset, (text) =>
      /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)
        ? true
        : 'Up to 63 of a-z, 0-9 and "-", not at the ends.',
    ));
  if (name === undefined) throw new Error('Missing: the name of the instance. npm run instance -- new NAME');
  refuseDemo(name, 'up');
  const place = await openPlace(name, options.project);
  const others = await place.fleet.list();
  const existing = others.find((one) => one.name === name);
  const operation = existing?.operation;
  const isBegun =
    operation !== undefined && operation.record.kind === 'create' && operation.state !== 'running';
  if (existing !== undefined && !isBegun)
    throw new Error(
      `There is an instance ${name} already (${stateWord(existing)}). See it: npm run instance -- status ${name}; change it: npm run instance -- change ${name}`,
    );
  if (operation !== undefined && !options.json)
    console.error(`The creation of ${name} was not finished.\n${operationLines(name, operation).join('\n')}`);
  // All its settings are there: it only has to be continued.
  if (operation !== undefined && wayOn(name, operation).includes(' resume ')) {
    if (prompts !== undefined && !(await prompts.agree('Continue it?', true))) return;
    const result = await perform(place, name, `Create ${name}`, options, () => place.fleet.resume(name));
    return printMade(name, result, options);
  }
  const base = await readValues(place.directory, name);
  const circumstances = {
    name,
    base,
    prompts,
    others,
    warn: (text: string) => console.error(`Warning: ${text}`),
  };
  const spec = await askNew(answers, circumstances);
  const commands = pulumiCommands(CLI, name, spec, true);
  if (!options.json)
    console.error(['', 'The same by Pulumi itself:', ...commands.map((line) => `  ${line}`), ''].join('\n'));
  if (prompts !== undefined && !(await prompts.agree(`Create ${name}?`, true)))
    return console.error('Nothing was begun.');
  const result = await perform(place, name, `Create ${name}`, options, () => place.fleet.create(name, spec));
  printMade(name, result, options);
}

function printMade(name: string, { url }: UpResult, { json }: Common): void {
  if (json) return;
  console.log(
    [
      '',
      `${name} is there. The data is copied now; the page shows how far it is.`,
      '',
      ...(url ? [`  Address    ${url}`] : []),
      `  Open       npm run instance -- open ${name}       (with its password)`,
      `  Status     npm run instance -- status ${name}`,
    ].join('\n'),
  );
}

export async function list(options: Common): Promise<void> {
  const place = await openPlace(undefined, options.project);
  const instances = await place.fleet.list({ live: true });
  print(options, instances, listLines(instances));
}

export async function status(name: string, options: Common): Promise<void> {
  const place = await openPlace(name, options.project);
  const found = await place.fleet.status(name);
  print(options, found, statusLines(found));
}

export async function open(name: string, options: Common): Promise<void> {
  const { fleet } = await openPlace(name, options.project);
  const { url, password } = await fleet.door(name);
  if (url === undefined)
    throw new Error(`${name} has no address yet. See what it waits for: npm run instance -- status ${name}`);
  if (options.json) return printJson({ url, password: password ?? null });
  console.log(`Address    ${url}\nPassword   ${password ?? 'none: its users sign in at signInIssuer'}`);
  if (process.stdout.isTTY) await execa('xdg-open', [url], { reject: false, stdio: 'ignore' });
}

export async function save(name: string, options: Common): Promise<void> {
  const place = await openPlace(name, options.project);
  const result = await perform(place, name, `Save ${name}`, options, () => place.fleet.saveNow(name));
  const { saved, changes, generation } = result as { saved?: boolean; changes?: number; generation?: number };
  if (!options.json)
    console.log(
      saved ? `Saved ${changes} changes as save ${generation}.` : `Nothing to save since save ${generation}.`,
    );
}

export async function pause(name: string, options: Common): Promise<void> {
  const place = await openPlace(name, options.project);
  await perform(place, name, `Save and pause ${name}`, options, () => place.fleet.pause(name));
  if (!options.json)
    console.log(`${name} is paused: both volumes stay. To continue: npm run instance -- resume ${name}`);
}

export async function resume(name: string, options: Common & { giveUp?: boolean }): Promise<void> {
  const place = await openPlace(name, options.project);
  if (options.giveUp) {
    const found = await place.fleet.giveUp(name);
    const text =
      found === undefined
        ? `Nothing was left undone on ${name}.`
        : `"${found.record.kind}" is given up; ${name} is as it was left. See it: npm run instance -- status ${name}`;
    return print(options, { givenUp: found?.record ?? null }, [text]);
  }
  const result = await perform(place, name, `Resume ${name}`, options, () => place.fleet.resume(name));
  if (!options.json) console.log(`${name} runs${result.url ? `: ${result.url}` : ''}`);
}

export async function restart(name: string, options: Common): Promise<void> {
  const place = await openPlace(name, options.project);
  const prompts = isAsking(options) ? terminalPrompts : undefined;
  const question = `Restart ${name}? What runs in its desktop ends; it is saved first.`;
  if (prompts !== undefined && !(await prompts.agree(question, true))) return;
  await perform(place, name, `Save and restart ${name}`, options, () => place.fleet.restart(name));
}

export async function change(name: string, options: Common & AnswerOptions): Promise<void> {
  const place = await openPlace(name, options.project);
  const prompts = isAsking(options) ? terminalPrompts : undefined;
  const given = await givenAnswers(options);
  const isGiven = [given.settings, given.secrets, given.others].some((part) => Object.keys(part).length > 0);
  const draft = { settings: { ...given.settings }, secrets: { ...given.secrets }, others: given.others };
  if (!isGiven) {
    if (prompts === undefined)
      throw new Error('Missing: what to change, e.g. --memory 16Gi or --set KEY=VALUE.');
    await place.fleet.status(name); // refuses a name that is not there before anything is asked
    const base = await readValues(place.directory, name);
    const keys = FORM_KEYS.filter((key) => !key.endsWith('SpaceId'));
    const choices = keys.map((key) => ({
      value: key,
      name: `${FLAGS[key][1]}: now ${presetOf(key, base) || 'found from the tokens'}`,
    }));
    const key = await prompts.choose('What to change:', choices);
    await askSetting(key, draft, { name, base, prompts, others: [], warn: () => {} });
    if (Object.keys(draft.settings).length === 0) return console.error('Nothing was changed.');
  }
  if (!options.json)
    console.error(
      [
        'The same by Pulumi itself:',
        ...pulumiCommands(CLI, name, draft, false).map((line) => `  ${line}`),
      ].join('\n'),
    );
  const result = await perform(place, name, `Change ${name}`, options, () => place.fleet.change(name, draft));
  printKeys(name, result, options);
}

function printKeys(name: string, { keys }: ChangeResult, { json }: Common): void {
  if (json) return;
  for (const { key, words } of keys) console.log(`${key}: ${words}`);
  if (keys.some(({ needsRestart }) => needsRestart))
    console.log(`To use it now (what runs in the desktop ends): npm run instance -- restart ${name}`);
}

export async function token(name: string, options: Common & AnswerOptions): Promise<void> {
  const place = await openPlace(name, options.project);
  const prompts = isAsking(options) ? terminalPrompts : undefined;
  const { secrets } = await givenAnswers(options);
  const tokens = { ...secrets } as Record<string, string>;
  const before = await readValues(place.directory, name);
  if (Object.keys(tokens).length === 0) {
    if (prompts === undefined)
      throw new Error('Missing: --source-token-file FILE or --project-token-file FILE.');
    const side = await prompts.choose('Which token is new?', [
      { value: 'source', name: 'the one that reads the raw data' },
      { value: 'project', name: 'the one that reads and writes your work' },
    ] as const);
    const { [`${side}Token` as const]: _, ...values } = before.values;
    const secretKeys = new Set([...before.secretKeys].filter((key) => key !== `${side}Token`));
    const base = { ...before, values, secretKeys };
    const circumstances = { name, base, prompts, others: [], warn: console.error };
    tokens[`${side}Token`] = await askToken(side, circumstances);
  }
  await perform(place, name, `Set the tokens of ${name}`, options, () =>
    place.fleet.rotateTokens(name, tokens),
  );
  if (!options.json) console.log('The new token is used within about two minutes, without a restart.');
}

export async function logs(
  name: string,
  container: string,
  options: Common & { follow?: boolean; lines: string },
): Promise<void> {
  const { fleet } = await openPlace(name, options.project);
  const { cluster, namespace } = await fleet.cluster(name);
  const target = {
    namespace,
    pod: NAMES.pod,
    container,
    follow: options.follow === true,
    lines: Number(options.lines),
  };
  try {
    await cluster.log(target, process.stdout);
  } catch (error) {
    throw new Error(
      `The log of ${container} cannot be read: ${(error as Error).message.split('\n')[0]}. See whether it runs: npm run instance -- status ${name}`,
    );
  }
}

export interface RemoveArguments extends Common {
  /** The name again: what cannot be saved is lost. */
  readonly discardUnsavedChanges?: string;
  readonly keepSettings?: boolean;
}

export async function remove(name: string, options: RemoveArguments): Promise<void> {
  refuseDemo(name, 'remove');
  const { discardUnsavedChanges: typed, keepSettings = false } = options;
  if (typed !== undefined && typed !== name)
    throw new Error(
      `--discard-unsaved-changes loses what is not saved, so it takes the name of the instance: found ${JSON.stringify(typed)}, expected ${name}. Nothing was removed.`,
    );
  const place = await openPlace(name, options.project);
  const found = await place.fleet.status(name);
  const prompts = isAsking(options) ? terminalPrompts : undefined;
  if (prompts === undefined && options.yes !== true)
    throw new Error(`Missing: --yes. ${name} is saved and then removed with its volumes; its spaces stay.`);
  if (prompts !== undefined) {
    const saved = found.live?.sync?.save.lastSavedAt;
    console.error(
      [
        `${name} (${stateWord(found)})${saved ? `, last saved ${saved}` : ''}.`,
        typed === undefined
          ? 'Its work is saved to the project space first; if that fails, nothing is removed.'
          : 'What cannot be saved within 30 s is LOST.',
        'Then desktop, volumes and namespace go. Both spaces stay: a new instance brings the work back.',
      ].join('\n'),
    );
    await prompts.text(`Type ${name} to remove it:`, undefined, (text) =>
      text === name ? true : `Expected ${name}. Ctrl-C leaves everything as it is.`,
    );
  }
  const removal = { discardUnsavedChanges: typed === name, keepSettings };
  await perform(place, name, `Save and remove ${name}`, options, () => place.fleet.remove(name, removal));
  if (!options.json) console.log(`${name} is removed; its work is in the project space.`);
}
