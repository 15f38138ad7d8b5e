import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { destroy, EngineError, up } from '../../local/engine/index.ts';
import { done, newWorkplace, programDirectory, type Workplace } from './helpers.ts';

let place: Workplace;
beforeEach(() => {
  place = newWorkplace('basic');
});
afterEach(() => place.remove());

test('an object that exists is not taken over, and not deleted afterwards', async () => {
  const foreign = { kind: 'Namespace', metadata: { name: 'site', managedFields: [{ manager: 'somebody' }] } };
  place.putObject('Namespace//site', foreign);
  const result = await up(place.options());
  expect(result.ok).toBe(false);
  expect(result.errors).toHaveLength(1);
  expect(result.errors[0]).toMatch(/^Namespace site exists in the cluster .*AlreadyExists.*another stack/);
  const removal = await destroy(place.options());
  expect(removal.errors).toEqual([]);
  expect(place.objects()['Namespace//site']).toEqual(foreign);
});

test('a step that fails stops what comes after and keeps what was done', async () => {
  place.setFaults({ apply: { 'ConfigMap/settings': '(Forbidden): configmaps "settings" is forbidden' } });
  const failed = await up(place.options());
  expect(failed.errors.join('\n')).toMatch(/^ConfigMap site\/settings could not be applied: .*forbidden/);
  expect(place.objects()['StatefulSet/site/workload']).toBeUndefined();
  const password = place.objects()['Secret/site/site-secret']?.stringData;

  place.setFaults({});
  const resumed = await up(place.options());
  expect(resumed.errors).toEqual([]);
  expect(done(resumed.steps)).toEqual(expect.arrayContaining(['create settings', 'create workload']));
  expect(done(resumed.steps)).not.toContain('create namespace');
  if (password) expect(place.objects()['Secret/site/site-secret']?.stringData).toEqual(password);
});

test('a protected resource is neither replaced nor deleted', async () => {
  await up(place.options({ config: { protect: true } }));
  const replaced = await up(place.options({ config: { protect: true, greeting: 'good day' } }));
  expect(replaced.errors.join('\n')).toContain(
    'settings (kubernetes:core/v1:ConfigMap) is protected and would be replaced',
  );
  const deleted = await destroy(place.options({ config: { protect: true } }));
  expect(deleted.errors.join('\n')).toContain('is protected and would be deleted. Nothing was deleted.');
  expect(place.objects()['StatefulSet/site/workload']).toBeDefined();
});

test('what does not get ready says why, and is awaited again by the next up', async () => {
  place.setFaults({ unready: ['StatefulSet/workload'] });
  place.putObject('Pod/site/workload-0', {
    kind: 'Pod',
    metadata: { name: 'workload-0', namespace: 'site' },
    status: { containerStatuses: [{ name: 'main', state: { waiting: { reason: 'ImagePullBackOff' } } }] },
  });
  const waiting = await up(place.options({ config: { createTimeout: '1s' } }));
  expect(waiting.errors.join('\n')).toMatch(
    /StatefulSet site\/workload exists but was not ready within 1 s: 0 of 1 pods ready; pod workload-0, container main: ImagePullBackOff/,
  );
  place.setFaults({});
  const ready = await up(place.options({ config: { createTimeout: '1s' } }));
  expect(ready.errors).toEqual([]);
  expect(done(ready.steps)).toEqual(['update workload']);
});

describe('before the program runs', () => {
  test('a folder without a program is refused', async () => {
    const refusal = up(place.options({ directory: place.directory }));
    await expect(refusal).rejects.toThrow(EngineError);
    await expect(refusal).rejects.toThrow(/Pulumi\.yaml does not exist/);
  });

  test('declared keys without a value are listed with the commands that set them', async () => {
    const refusal = up(place.options({ directory: programDirectory('declared'), secretConfig: {} }));
    await expect(refusal).rejects.toThrow(
      [
        'stack "dev" lacks configuration that Pulumi.yaml declares:',
        '  declared:site: found no value, expected one: pulumi config set declared:site --stack dev',
        '  declared:token: found no value, expected one: pulumi config set --secret declared:token --stack dev',
      ].join('\n'),
    );
  });

  test('kubectl that is not there is named', async () => {
    const result = await up(place.options({ kubectl: { path: '/nowhere/kubectl' } }));
    expect(result.errors.join('\n')).toContain('"/nowhere/kubectl" was not found');
  });
});
