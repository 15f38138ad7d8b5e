/** The Onedata emulator in a process of its own, told what to do over IPC. Only started by `server.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Emulator } from '../../emulators/onedata/context.ts';
import { startEmulator } from '../../emulators/onedata/emulator.ts';
import { fileId } from '../../emulators/onedata/store/spaces.ts';
import type { ServerAnswer, ServerRequest } from './server.ts';

let emulator: Emulator | undefined;

async function execute(order: ServerRequest): Promise<unknown> {
  if (order.do === 'start') {
    const { directory } = order;
    emulator = await startEmulator({ dataDirectory: directory, listen: { port: 0 } });
    const tokenFile = join(directory, 'bench-token');
    writeFileSync(tokenFile, emulator.mint().token, { mode: 0o600 });
    return {
      host: emulator.providerHost,
      port: emulator.port,
      authorityFile: emulator.authorityFile,
      tokenFile,
    };
  }
  if (emulator === undefined) throw new Error('the emulator was not started');
  const { spaces } = emulator.context;
  switch (order.do) {
    case 'add-space':
      await emulator.addSpace({
        id: order.id,
        name: order.id,
        supported: true,
        ...(order.seedFrom === undefined ? {} : { seedFrom: order.seedFrom }),
      });
      return {};
    case 'files': {
      const root = spaces.root(order.id);
      return spaces.tree
        .children(root.uuid, '', 1000)
        .filter(({ type }) => type === 'REG')
        .map((entry) => ({ name: entry.name, id: fileId(entry) }));
    }
    case 'faults':
      emulator.context.faults.clear();
      for (const rule of order.rules) emulator.context.faults.add(rule);
      return {};
    case 'close':
      await emulator.close();
      return {};
  }
}

process.on('message', async (order: ServerRequest) => {
  let answer: ServerAnswer;
  try {
    answer = { ok: true, result: await execute(order) };
  } catch (error) {
    answer = { ok: false, error: (error as Error).stack ?? String(error) };
  }
  process.send?.(answer);
});
process.on('disconnect', () => process.exit(0));
