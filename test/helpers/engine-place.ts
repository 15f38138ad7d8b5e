import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiAnswers, type ApiServer, startApiServer } from './api-server.ts';

/** A folder for the states of a test of the engine, with a kubeconfig that leads to an API server of recorded answers. */
export interface EnginePlace extends AsyncDisposable {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly api: ApiServer;
}

/** @param name of the folder, to be seen in the system's folder for temporary files */
export async function enginePlace(name: string, answers: ApiAnswers = {}): Promise<EnginePlace> {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const kubeconfig = join(folder, 'kubeconfig');
  const api = await startApiServer(answers);
  writeFileSync(kubeconfig, api.kubeconfig);
  return {
    folder,
    kubeconfig,
    api,
    [Symbol.asyncDispose]: async () => {
      await api[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
