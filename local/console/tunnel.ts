import { type Duplex, duplexPair } from 'node:stream';
import { KubeConfig, PortForward } from '@kubernetes/client-node';
import { type Ask, askJson } from '../../components/onedata-request.ts';
import { EMULATOR, SERVICES, TLS_PORT } from '../../emulators/onedata/manifests.ts';

/** Host names of the emulator are names of its cluster, so this machine asks it through the API server. */

const HOSTS: readonly string[] = [EMULATOR.zoneHost, EMULATOR.providerHost];

/** @param context of the user's kubeconfig; absent: its current one */
export function askEmulator(context: string | undefined): Ask {
  return (request) => {
    const isEmulator = HOSTS.includes(request.host);
    return askJson(isEmulator ? { ...request, connect: () => tunnel(context) } : request);
  };
}

async function tunnel(context: string | undefined): Promise<Duplex> {
  const config = new KubeConfig();
  config.loadFromDefault();
  if (context !== undefined) config.setCurrentContext(context);
  const [near, far] = duplexPair();
  const socket = await new PortForward(config).portForwardService(
    EMULATOR.namespace,
    SERVICES.zone,
    [TLS_PORT],
    far,
    null,
    far,
  );
  if (typeof socket === 'function') throw new Error('The port of the Onedata emulator cannot be reached.');
  // Neither side is told by the library when the other one has ended.
  socket.on('close', () => far.destroy());
  near.on('close', () => socket.close());
  return near;
}
