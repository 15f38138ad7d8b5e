import { Gauge, type Registry } from 'prom-client';
import sidecar from '../package.json' with { type: 'json' };

/** Which build this is, in the form that Prometheus joins to other series: always 1. */
export function addBuildInfo(registry: Registry, program: 'sync' | 'gateway' | 'jobs'): void {
  new Gauge({
    name: 'scipion_build_info',
    help: 'Version of the sidecar image and of its Node',
    labelNames: ['program', 'version', 'node'],
    registers: [registry],
  }).set({ program, version: sidecar.version, node: process.versions.node }, 1);
}
