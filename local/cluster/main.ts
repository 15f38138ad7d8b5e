import { join } from 'node:path';
import { clusterStatus, destroyCluster, findLeftovers, startCluster, stopCluster } from './index.ts';

/** For work on the cluster alone: `node local/cluster/main.ts up | status | down | destroy [state folder]`. */
const [command = 'status', folder] = process.argv.slice(2);
const stateDirectory = folder ?? join(import.meta.dirname, '..', '..', '.local', 'cluster');
const begun = Date.now();
const report = (line: string) =>
  console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`);

async function run(): Promise<void> {
  switch (command) {
    case 'up': {
      const cluster = await startCluster({ stateDirectory }, report);
      console.log(`export KUBECONFIG=${cluster.kubeconfigPath}\nHTTPS on 127.0.0.1:${cluster.httpsPort}`);
      return;
    }
    case 'status': {
      const status = await clusterStatus(stateDirectory);
      console.log(status.state);
      if (status.state === 'running' && status.down.length > 0)
        console.log(`down: ${status.down.join(', ')}`);
      return;
    }
    case 'down':
    case 'destroy': {
      await (command === 'down' ? stopCluster : destroyCluster)(stateDirectory, report);
      for (const leftover of await findLeftovers(stateDirectory)) console.log(`left behind: ${leftover}`);
      return;
    }
    default:
      throw new Error(`Unknown command ${command}; expected up, status, down or destroy.`);
  }
}

run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
