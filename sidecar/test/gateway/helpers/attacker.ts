/** A stranger in a process of its own: `node attacker.ts <attack> <port> <connections>`, until it is ended. */
import { connect, type Socket } from 'node:net';

const [, , attack = '', port = '0', connections = '0'] = process.argv;

const SAME_ORIGIN = 'sec-fetch-site: same-origin\r\norigin: null\r\n';
const FORM = 'content-type: application/x-www-form-urlencoded\r\n';
const UPGRADE =
  'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
const post = (path: string, rest: string) => `POST ${path} HTTP/1.1\r\nhost: x\r\n${rest}`;
const get = (path: string, rest = '') => `GET ${path} HTTP/1.1\r\nhost: x\r\n${rest}\r\n`;

/** Writes a little now and then, for as long as the socket lives. */
function drip(socket: Socket, text: () => string): void {
  const timer = setInterval(() => socket.write(text()), 200);
  socket.on('close', () => clearInterval(timer));
}

/** Asks again as soon as an answer has come, or without waiting for any. */
function repeat(socket: Socket, request: () => string): void {
  socket.on('data', () => socket.write(request()));
  socket.write(request());
}

const wrongPassword = () => {
  const body = `password=${Math.random()}`;
  const address = [203, 0, 113, Math.floor(Math.random() * 250)].join('.');
  return post(
    '/login',
    `${SAME_ORIGIN}${FORM}x-forwarded-for: ${address}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
};

/** What each does with a socket that has just been opened. Unless it says so, nothing is ever read. */
const ATTACKS: Readonly<Record<string, (socket: Socket) => void>> = {
  idle: () => undefined,
  'dripping headers': (socket) => {
    socket.write('GET /login HTTP/1.1\r\nhost: x\r\n');
    drip(socket, () => `x-${Math.random()}: 1\r\n`);
  },
  'bodies that never come': (socket) =>
    socket.write(post('/login', `${SAME_ORIGIN}${FORM}content-length: 60000\r\n\r\n`)),
  'dripping bodies': (socket) => {
    socket.write(post('/login', `${SAME_ORIGIN}${FORM}content-length: 60000\r\n\r\npassword=`));
    drip(socket, () => 'x');
  },
  'bodies of other sites': (socket) => {
    socket.write(post('/save', 'origin: https://evil.example\r\ncontent-length: 60000000\r\n\r\n'));
    drip(socket, () => 'x'.repeat(10_000));
  },
  'bodies to nowhere': (socket) => {
    socket.write(post('/nowhere', `${SAME_ORIGIN}content-length: 60000000\r\n\r\n`));
    drip(socket, () => 'x'.repeat(10_000));
  },
  'chunks without end': (socket) => {
    socket.write(post('/login', `${SAME_ORIGIN}${FORM}transfer-encoding: chunked\r\n\r\n`));
    drip(socket, () => '1\r\nx\r\n');
  },
  'expecting to go on': (socket) => {
    socket.write(
      post('/login', `${SAME_ORIGIN}${FORM}expect: 100-continue\r\ncontent-length: 60000\r\n\r\n`),
    );
  },
  'pipelining without reading': (socket) => socket.write(get('/assets/app.js').repeat(1500)),
  'pipelining drop by drop': (socket) => drip(socket, () => get('/assets/app.js')),
  'asking without reading': (socket) => socket.write(get('/assets/app.js')),
  'huge headers': (socket) => socket.write(get('/', `x: ${'x'.repeat(60_000)}\r\n`)),
  'no HTTP at all': (socket) => socket.write('\x16\x03\x01\x00garbage\r\n\r\n'.repeat(10)),
  'refused upgrades': (socket) => socket.write(get('/desktop', UPGRADE)),
  'upgrades elsewhere': (socket) => {
    socket.write(get('/%E0%A4%A', UPGRADE));
    drip(socket, () => 'x'.repeat(1000));
  },
  'half closed': (socket) => socket.end(get('/assets/app.js')),
  'HTTP/1.0 kept alive': (socket) => {
    socket.resume();
    repeat(socket, () => 'GET /login HTTP/1.0\r\nconnection: keep-alive\r\n\r\n');
  },
  'asking as fast as it can': (socket) => repeat(socket, () => get('/login')),
  'guessing passwords': (socket) => repeat(socket, wrongPassword),
};

if (process.argv.length > 2) {
  const start = ATTACKS[attack];
  if (start === undefined) throw new Error(`there is no attack "${attack}"`);
  for (let number = 0; number < Number(connections); number += 1) open(start, number);
}

/** Keeps one connection open; a new one takes the place of one that was ended. */
function open(start: (socket: Socket) => void, number: number): void {
  const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
  socket.on('connect', () => start(socket));
  socket.on('error', () => undefined);
  socket.on('end', () => socket.destroy());
  socket.on('close', () => setTimeout(open, 100, start, number));
}

export const ATTACK_NAMES = Object.keys(ATTACKS);
