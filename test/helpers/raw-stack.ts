import type { RawStack } from '../../stacks/judge.ts';

/** A stack that is right, with what a case changes. A value of `undefined` takes the key away. */

const GOOD_VALUES = {
  domain: 'example.org',
  ingressClass: 'nginx',
  imageRepository: 'registry.example.org/scipion',
  onedataHost: 'provider.example.org',
  sourceSpaceId: 'source-space',
  projectSpaceId: 'project-space',
  sourceToken: 'canary-source-token-0123456789',
  projectToken: 'canary-project-token-0123456789',
};

export const TOKEN_KEYS = ['sourceToken', 'projectToken', 'desktopPassword'] as const;

export function rawStack(
  changes: Readonly<Record<string, string | undefined>> = {},
  more: Partial<Pick<RawStack, 'stack' | 'secretKeys'>> = {},
): RawStack {
  const values = Object.entries({ ...GOOD_VALUES, ...changes }).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const],
  );
  return {
    stack: 'jane',
    values: Object.fromEntries(values),
    secretKeys: new Set<string>(TOKEN_KEYS),
    ...more,
  };
}
