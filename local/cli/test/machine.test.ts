import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'machine-'));
  vi.stubEnv('SCIPION_LOCAL_STATE', place);
  vi.resetModules();
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(place, { recursive: true, force: true });
});

async function read(text: string) {
  writeFileSync(join(place, 'instance.json'), text);
  const { readInstance } = await import('../machine.ts');
  return readInstance();
}

test('a record with more in it, of a newer version, is read', async () => {
  const record = { context: null, overrides: { 'scipion:cpus': '2' } };
  expect(await read(JSON.stringify({ ...record, more: true }))).toEqual(record);
});

test.each(['', '{"context":', 'null', '[]', '{"context":3,"overrides":{}}'])(
  'a damaged one (%j) is told with the way out',
  async (text) => {
    await expect(read(text)).rejects.toThrow(
      /instance\.json is not what .* Move it away and run npm run local/,
    );
  },
);
