import type { InstanceConfig } from '../../stacks/load.ts';
import { COMMANDS, CONTAINERS, NAMES } from '../names.ts';

/** Commands that the outputs of a stack show: what a person types next. */

export interface NextSteps {
  readonly password: string;
  readonly status: string;
  readonly save: string;
  readonly restart: string;
  readonly remove: string;
}

export function nextSteps({
  namespace,
  stack,
  passwordLogin,
}: Pick<InstanceConfig, 'namespace' | 'stack' | 'passwordLogin'>): NextSteps {
  const sync = `kubectl --namespace ${namespace} exec ${NAMES.pod} --container ${CONTAINERS.sync} -- ${COMMANDS.sync}`;
  return {
    password: passwordLogin
      ? `pulumi stack output desktopPassword --show-secrets --stack ${stack}`
      : 'none: passwordLogin is false, so users sign in at signInIssuer',
    status: `${sync} status`,
    save: `${sync} save`,
    // SIGTERM saves before the pod ends; the StatefulSet starts it again with what has changed.
    restart: `kubectl --namespace ${namespace} delete pod ${NAMES.pod}`,
    remove: `npm run destroy -- --stack ${stack}`,
  };
}
