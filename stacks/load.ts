import * as pulumi from '@pulumi/pulumi';
import { REMOVING_VARIABLE } from './environment.ts';
import { judge, PREFIX, type RawStack } from './judge.ts';
import { problemsMessage } from './problems.ts';
import { SECRET_KEYS, type SecretKey, type Settings } from './schema.ts';

/** The only reader of the stack's configuration. */

/** One instance as the components take it: no defaults left to find, secrets only as Outputs. */
export interface InstanceConfig extends Settings {
  readonly stack: string;
  /** Absent where a Secret that exists has it, or a claim shows the space. */
  readonly sourceToken?: pulumi.Output<string>;
  readonly projectToken?: pulumi.Output<string>;
  /** Absent: one is generated. */
  readonly desktopPassword?: pulumi.Output<string>;
  readonly signInClientSecret?: pulumi.Output<string>;
}

/** The SDK keeps this function out of its types, although `Config.get` warns by it. */
const secretQuestion = pulumi.runtime as unknown as { isConfigSecret?: (key: string) => boolean };

function readStack(): RawStack {
  const all = Object.entries(pulumi.runtime.allConfig());
  const own = all.filter(([key]) => key.startsWith(PREFIX));
  const isSecret = ([key]: [string, string]) => secretQuestion.isConfigSecret?.(key) ?? false;
  const bare = (key: string) => key.slice(PREFIX.length);
  return {
    stack: pulumi.getStack(),
    values: Object.fromEntries(own.map(([key, value]) => [bare(key), value])),
    secretKeys: new Set(own.filter(isSecret).map(([key]) => bare(key))),
    otherKeys: all.map(([key]) => key).filter((key) => !key.startsWith(PREFIX)),
  };
}

/** What is left of a stack that is only being removed: its configuration is wrong and need not be right. */
export interface RemovalConfig {
  readonly kind: 'removal';
  readonly stack: string;
  readonly discardUnsavedChanges: boolean;
  readonly problems: readonly string[];
}

export interface UsableConfig extends InstanceConfig {
  readonly kind: 'instance';
}

/** An expected error. Its stack says nothing, and the SDK would colour every line of it before it shows the message. */
export function expectedError(message: string): pulumi.RunError {
  return Object.assign(new pulumi.RunError(message), { stack: '' });
}

/**
 * The stack's configuration.
 * @throws pulumi.RunError with every problem at once, except while the instance is being removed.
 */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): UsableConfig | RemovalConfig {
  const raw = readStack();
  const { settings, problems } = judge(raw);
  if (settings === undefined) {
    if (environment[REMOVING_VARIABLE] !== 'true') throw expectedError(problemsMessage(raw.stack, problems));
    return {
      kind: 'removal',
      stack: raw.stack,
      discardUnsavedChanges: raw.values.discardUnsavedChanges === 'true',
      problems,
    };
  }
  const config = new pulumi.Config('scipion');
  const secrets = (Object.keys(SECRET_KEYS) as SecretKey[]).flatMap((key) => {
    const value = config.getSecret(key);
    return value === undefined
      ? []
      : [[key, key === 'desktopPassword' ? value : value.apply((text) => text.trim())]];
  });
  return Object.freeze({
    kind: 'instance' as const,
    stack: raw.stack,
    ...settings,
    ...(Object.fromEntries(secrets) as Partial<Record<SecretKey, pulumi.Output<string>>>),
  });
}
