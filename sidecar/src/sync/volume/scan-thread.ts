/** Looks at directories in a thread of its own and tells what is as it was saved. See `scan-helper.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { StatReader } from '../state/stat-reader.ts';
import type { ScanAnswer, ScanOrder, ScanThreadData } from './scan-helper.ts';
import { textPath, unchangedDirectories } from './unchanged.ts';

const { root, stateFile } = workerData as ScanThreadData;
const state = new StatReader(stateFile);

function look(directory: string): ScanAnswer[number] {
  const at = textPath(root, directory);
  return at === null ? null : unchangedDirectories(at, state.looks(directory), 'paths');
}

parentPort?.on('message', (order: ScanOrder) => {
  if (order !== 'end') return parentPort?.postMessage(order.map(look) satisfies ScanAnswer);
  state.close();
  parentPort?.close();
});
// It is ready.
parentPort?.postMessage([] satisfies ScanAnswer);
