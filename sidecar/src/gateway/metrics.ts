import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { addBuildInfo } from '../build-info.ts';
import type { LiveView } from './live-view.ts';

export interface GatewayMetrics {
  readonly registry: Registry;
  readonly logins: Counter<'result'>;
}

/** What `/metrics` on the probes' port shows. No label holds a name of a user, file or space. */
export function createMetrics(live: LiveView): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  addBuildInfo(registry, 'gateway');
  new Gauge({
    name: 'scipion_desktop_sessions',
    help: 'Browser windows that show the desktop at the moment.',
    registers,
    collect() {
      this.set(live.openRelays);
    },
  });
  new Gauge({
    name: 'scipion_gateway_sync_reachable',
    help: '1 while the data service answers on its socket, else 0.',
    registers,
    collect() {
      this.set(live.sync.reachability === 'up' ? 1 : 0);
    },
  });
  const logins = new Counter({
    name: 'scipion_gateway_logins_total',
    help: 'Login attempts by result: accepted, wrong, wait (told to wait), failed (a sign-in elsewhere or a code of a console).',
    labelNames: ['result'] as const,
    registers,
  });
  for (const result of ['accepted', 'wrong', 'wait', 'failed']) logins.inc({ result }, 0);
  return { registry, logins };
}
