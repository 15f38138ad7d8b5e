import { ensureEngine } from '../automation/engine/index.ts';
import type { Report } from '../automation/tools/progress.ts';
import { ensurePackages } from '../local/apt.ts';
import { buildBinaries } from '../local/cluster/index.ts';
import { clusterPackages } from '../local/cluster/packages.ts';
import { buildImages } from '../local/images/index.ts';
import { DEFAULT_VERSION } from '../stacks/versions.ts';

/**
 * Makes what a CI run starts later (Pulumi, Kubernetes, the images) while checks and tests run that need none of it, and
 * takes the time of the processors that they leave (started with `nice`). Who needs something before it is there waits for it.
 */

const began = performance.now();
const say =
  (what: string): Report =>
  (line) =>
    console.log(`${Math.round((performance.now() - began) / 1000)} s ${what}: ${line}`);

const binaries = ensurePackages(clusterPackages, say('packages')).then(() =>
  buildBinaries(say('Kubernetes')),
);
const results = await Promise.allSettled([
  ensureEngine(say('Pulumi')),
  binaries,
  // What tests wait for comes first.
  binaries.then(() =>
    buildImages({ versions: [DEFAULT_VERSION], sidecar: true, onedata: true }, say('images')),
  ),
]);
for (const result of results) {
  if (result.status === 'fulfilled') continue;
  console.log(String(result.reason));
  process.exitCode = 1;
}
