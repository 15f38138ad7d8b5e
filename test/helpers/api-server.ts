import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** An API server of recorded answers on loopback, for what speaks to a cluster. */

export interface ApiServer extends AsyncDisposable {
  /** A kubeconfig that leads to it. */
  readonly kubeconfig: string;
  /** `METHOD /path content-type body`, in order. */
  readonly requests: string[];
}

export interface ApiAnswers {
  /** Path → body; other paths are 404, with the status of Kubernetes. */
  readonly objects?: Readonly<Record<string, object | number>>;
  /** What happens once a command was asked for. */
  readonly exec?: (socket: WebSocket, query: URLSearchParams) => void;
}

/** Channels of `v4.channel.k8s.io`: the first byte of a message says which stream it is. */
export const sendTo = (socket: WebSocket, channel: 1 | 2 | 3, content: string | object) =>
  socket.send(
    Buffer.concat([
      Buffer.of(channel),
      Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)),
    ]),
  );

const textOf = async (request: IncomingMessage) => Buffer.concat(await request.toArray()).toString();

export async function startApiServer(answers: ApiAnswers): Promise<ApiServer> {
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await textOf(request);
    const type = request.headers['content-type'] ?? '';
    requests.push([request.method, request.url, type, body].filter(Boolean).join(' '));
    const found = answers.objects?.[request.url ?? ''] ?? 404;
    const code = typeof found === 'number' ? found : 200;
    const content = typeof found === 'number' ? { kind: 'Status', status: 'Failure', code } : found;
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(content));
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    requests.push(`EXEC ${request.url}`);
    const { exec } = answers;
    if (!exec) return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const { searchParams } = new URL(request.url ?? '', 'http://api');
    sockets.handleUpgrade(request, socket, head, (connection) => exec(connection, searchParams));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const kubeconfig = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
  return {
    kubeconfig,
    requests,
    [Symbol.asyncDispose]: async () => {
      for (const client of sockets.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
