import type { ConsoleConfig } from './config.ts';

/** Who somebody is, and what they may do. */

export interface User {
  /** What instances belong to. */
  readonly id: string;
  /** What pages show. */
  readonly name: string;
  readonly isOperator: boolean;
}

export type Refusal = 'no-user' | 'no-group';

/** It becomes a value in a file, and a line of the log. */
const ID = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]{1,200}$/u;

/** What a provider or proxy says of somebody → a user of the console. */
export function userOf(
  given: { readonly id: unknown; readonly name: unknown; readonly groups: unknown },
  { userGroups, operatorGroups }: Pick<ConsoleConfig, 'userGroups' | 'operatorGroups'>,
): User | Refusal {
  if (typeof given.id !== 'string' || !ID.test(given.id)) return 'no-user';
  const listed = typeof given.groups === 'string' ? given.groups.split(',') : given.groups;
  const groups = (Array.isArray(listed) ? listed : []).map((group) => String(group).trim());
  const isOperator = operatorGroups.some((group) => groups.includes(group));
  const isUser = userGroups.length === 0 || userGroups.some((group) => groups.includes(group));
  if (!isUser && !isOperator) return 'no-group';
  const name = typeof given.name === 'string' && ID.test(given.name) ? given.name : given.id;
  return { id: given.id, name, isOperator };
}
