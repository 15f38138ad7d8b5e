import { createServer, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { EMPTY_TRANSFER, type SyncStatus } from '../../../contract/status.ts';

export const IDLE_STATUS: SyncStatus = {
  phase: 'starting',
  ready: false,
  source: EMPTY_TRANSFER,
  project: EMPTY_TRANSFER,
  save: {
    lastSavedAt: null,
    lastSaveDurationSeconds: null,
    generation: 0,
    unsavedChanges: null,
    nextSaveAt: null,
    lastError: null,
  },
  problems: [],
};

export const DONE_TRANSFER: SyncStatus['source'] = {
  state: 'done',
  filesDone: 12,
  filesTotal: 12,
  bytesDone: 48_000_000,
  bytesTotal: 48_000_000,
  bytesPerSecond: null,
  secondsLeft: null,
};

export const READY_STATUS: SyncStatus = {
  ...IDLE_STATUS,
  phase: 'running',
  ready: true,
  source: DONE_TRANSFER,
  project: DONE_TRANSFER,
};

export interface FakeSync {
  /** Sends the status to everybody who listens. */
  set(status: Partial<SyncStatus>): void;
  /** Bodies are answered with this status and JSON. */
  saveAnswer: { status: number; body: unknown };
  readonly saves: number;
  /** How many follow its event stream. */
  readonly listeners: number;
  /** Windows that the gateway has told of, newest last. */
  readonly windows: readonly number[];
  stop(): Promise<void>;
}

/** Speaks the socket contract of `sync` and does nothing else. `hasEvents: false` leaves only `/v1/status`. */
export async function startFakeSync(socketPath: string, hasEvents = true): Promise<FakeSync> {
  let status = IDLE_STATUS;
  let saves = 0;
  const windows: number[] = [];
  const listeners = new Set<ServerResponse>();
  const event = () => `event: status\ndata: ${JSON.stringify(status)}\n\n`;
  const server = createServer((request, response) => {
    const route = `${request.method} ${request.url}`;
    if (route === 'GET /v1/status') {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(status));
    } else if (route === 'GET /v1/events' && hasEvents) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event());
      listeners.add(response);
      response.on('close', () => listeners.delete(response));
    } else if (route === 'POST /v1/save') {
      saves += 1;
      response.writeHead(fake.saveAnswer.status).end(JSON.stringify(fake.saveAnswer.body));
    } else if (route === 'POST /v1/activity') {
      void json(request).then((body) => windows.push((body as { windows: number }).windows));
      response.end('{}');
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const fake: FakeSync = {
    saveAnswer: { status: 202, body: {} },
    windows,
    get listeners() {
      return listeners.size;
    },
    get saves() {
      return saves;
    },
    set(change) {
      status = { ...status, ...change };
      for (const listener of listeners) listener.write(event());
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}
