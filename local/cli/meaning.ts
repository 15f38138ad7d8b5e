import type { EngineStep } from '../../automation/engine/index.ts';
import { changesOfPreview } from '../../automation/meaning/changes.ts';
import { meaningOf, NOTHING } from '../../automation/meaning/meaning.ts';

/**
 * What an `up` means for the user, in the words of the comment on a pull request: a list on a terminal, one line each in
 * files and pipes. Nothing where nothing changes.
 * @param title `An up`, `This up`
 */
export function meaningLines(
  title: string,
  steps: readonly EngineStep[],
  isTerminal = process.stdout.isTTY === true,
): string[] {
  const changes = changesOfPreview({ steps });
  if (changes.length === 0) return [];
  const found = meaningOf(changes).map(({ text }) => text);
  const words = found.length > 0 ? found : [NOTHING];
  return isTerminal
    ? ['', `${title}:`, ...words.map((text) => `- ${text}`)]
    : words.map((text) => `${title}: ${text}`);
}
