import {
  type InstanceSummary,
  type UpgradeNews,
  upgrade as upgradeAll,
} from '../../automation/fleet/index.ts';
import { onInterrupts } from '../../automation/tools/interrupt.ts';
import { type Common, isAsking } from './commands.ts';
import { openPlace } from './place.ts';
import { terminalPrompts } from './prompts.ts';
import { printJson } from './show.ts';

/** `npm run instance -- upgrade`. */

export interface UpgradeArguments extends Common {
  readonly scipionVersion: string;
  readonly wave: number;
}

const WORDS: Readonly<Record<UpgradeNews['state'], string>> = {
  saves: 'saves its work',
  changes: 'takes the release',
  restarts: 'starts again',
  done: 'done',
  failed: 'FAILED',
};

const UNENDED: readonly string[] = ['save', 'change', 'restart'];

export async function upgrade(names: readonly string[], options: UpgradeArguments): Promise<void> {
  const { scipionVersion: version, wave, json } = options;
  const { fleet } = await openPlace(undefined, options.project);
  const all = await fleet.list({ live: true });
  const instances = chosen(all, names, version);
  if (instances.length === 0) {
    if (json) return printJson({ done: [], failed: [], left: [] });
    return console.log(`Every instance has Scipion ${version} already.`);
  }
  const question = `Upgrade ${instances.map(({ name }) => name).join(', ')} to Scipion ${version}? Each is saved first; what runs in its desktop ends.`;
  if (isAsking(options) && !(await terminalPrompts.agree(question, true)))
    return console.error('Nothing was begun.');
  const interrupted = new AbortController();
  const release = onInterrupts((count) => {
    if (count > 1) return release(); // the next one ends this
    console.error('No further wave is begun; what is under way ends first.');
    interrupted.abort();
  });
  const result = await upgradeAll(fleet, instances, {
    version,
    wave,
    signal: interrupted.signal,
    onNews: (news) =>
      json
        ? printJson(news)
        : console.log([news.name, WORDS[news.state], news.message ?? ''].join('  ').trimEnd()),
  }).finally(release);
  if (json) printJson(result);
  else if (result.left.length > 0) console.log(`Not begun, and as they were: ${result.left.join(', ')}.`);
  if (result.failed.length === 0 && result.left.length === 0) return;
  if (!json && result.failed.length > 0)
    console.log('What was saved is not touched. When the cause is gone, the same command does the rest.');
  process.exitCode = 1;
}

/** @throws Error for a name that is not there */
function chosen(
  all: readonly InstanceSummary[],
  names: readonly string[],
  version: string,
): readonly InstanceSummary[] {
  const missing = names.filter((name) => !all.some((one) => one.name === name));
  if (missing.length > 0)
    throw new Error(
      `There is no instance ${missing.join(', ')}. See what there is: npm run instance -- list`,
    );
  const isOther = (one: InstanceSummary) =>
    // What an earlier run has begun and not ended has the release in its settings alone.
    one.version !== version || (one.operation !== undefined && UNENDED.includes(one.operation.record.kind));
  return all.filter(
    (one) => one.lastUpdate !== undefined && isOther(one) && (names.length === 0 || names.includes(one.name)),
  );
}
