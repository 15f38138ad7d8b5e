import { judge } from '../../stacks/judge.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { rawStack } from './raw-stack.ts';

/** The configuration of a right stack, with what a test changes, as components get it; without the secrets. */
export function instanceConfig(changes: Readonly<Record<string, string | undefined>> = {}): InstanceConfig {
  const { settings, problems } = judge(rawStack(changes));
  if (!settings) throw new Error(problems.join('\n'));
  return { stack: 'jane', ...settings };
}
