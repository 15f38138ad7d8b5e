/** The Onedata stand-in in a process of its own, told what to do over IPC. Only started by `server.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type StandIn, startStandIn } from '../../local/onedata/stand-in.ts';
import { fileId } from '../../local/onedata/store/spaces.ts';
import type { ServerAnswer, ServerOrder } from './server.ts';

let standIn: StandIn | undefined;

async function carryOut(order: ServerOrder): Promise<unknown> {
  if (order.do === 'start') {
    const { directory } = order;
    standIn = await startStandIn({ dataDirectory: directory, listen: { port: 0 } });
    const tokenFile = join(directory, 'bench-token');
    writeFileSync(tokenFile, standIn.mint().token, { mode: 0o600 });
    return {
      host: standIn.providerHost,
      port: standIn.port,
      authorityFile: standIn.authorityFile,
      tokenFile,
    };
  }
  if (standIn === undefined) throw new Error('the stand-in was not started');
  const { spaces } = standIn.context;
  switch (order.do) {
    case 'add-space':
      await standIn.addSpace({
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
      standIn.context.faults.clear();
      for (const rule of order.rules) standIn.context.faults.add(rule);
      return {};
    case 'close':
      await standIn.close();
      return {};
  }
}

process.on('message', async (order: ServerOrder) => {
  let answer: ServerAnswer;
  try {
    answer = { ok: true, result: await carryOut(order) };
  } catch (error) {
    answer = { ok: false, error: (error as Error).stack ?? String(error) };
  }
  process.send?.(answer);
});
process.on('disconnect', () => process.exit(0));
