import { createConnection } from 'node:net';

const PROBE_TIMEOUT_MS = 3000;

/** Bytes of an RFB 3.8 handshake up to "logged in", with security type None. RFC 6143 section 7.1. */
const VERSION = Buffer.from('RFB 003.008\n');
const CHOOSE_NONE = Buffer.from([1]);
const SECURITY_NONE = 1;

/**
 * Whether a VNC server answers on the socket. It logs in as a client would, then leaves: Xvnc counts a visitor who
 * only knocks as a failed login and shuts the door for all after five.
 */
export function desktopAnswers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    let received = Buffer.alloc(0);
    let step: 'version' | 'security' | 'result' = 'version';
    const finish = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(finish, PROBE_TIMEOUT_MS, false);
    const take = (count: number): Buffer | undefined => {
      if (received.length < count) return undefined;
      const taken = received.subarray(0, count);
      received = received.subarray(count);
      return taken;
    };
    const advance = () => {
      if (step === 'version') {
        const version = take(VERSION.length);
        if (!version) return;
        socket.write(VERSION);
        step = 'security';
      }
      if (step === 'security') {
        const types = take(1 + (received[0] ?? 0))?.subarray(1);
        if (!types) return;
        if (types.includes(SECURITY_NONE)) socket.write(CHOOSE_NONE);
        else finish(false);
        step = 'result';
      }
      const result = take(4);
      if (result) finish(result.readUInt32BE() === 0);
    };
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      advance();
    });
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
  });
}
