import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FaultAction } from '../faults.ts';
import { BareStatus, badInput, missing } from './api-error.ts';

export type Parameters = Record<string, unknown>;
const MAXIMUM_JSON_BYTES = 16 * 1_048_576;

/** One request on its way through the emulator. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  /** Decoded segments of the path. */
  readonly segments: readonly string[];
  readonly path: string;
  readonly query: Parameters;
  readonly faults: readonly FaultAction[];
}

/** A key given several times becomes a list, a bare key is true, `true` and `false` are booleans. */
export function parseQuery(search: string): Parameters {
  const result: Parameters = {};
  for (const part of search.replace(/^\?/, '').split('&').filter(Boolean)) {
    const at = part.indexOf('=');
    const key = decode(at < 0 ? part : part.slice(0, at));
    const text = at < 0 ? 'true' : decode(part.slice(at + 1));
    const value = text === 'true' ? true : text === 'false' ? false : text;
    const before = result[key];
    result[key] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return result;
}

/** @throws BareStatus 400 for percent signs that encode no UTF-8 */
export function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw badInput('badValueFilePath');
  }
}

/** Body object and query string merged; ⚠ the query wins. A GET may carry a body too. */
export async function parameters(call: Call): Promise<Parameters> {
  const body = await readBody(call.request, MAXIMUM_JSON_BYTES);
  if (body.length === 0) return call.query;
  const contentType = call.request.headers['content-type'] ?? '';
  if (!contentType.startsWith('application/json')) throw new BareStatus(415);
  return { ...parseObject(body.toString('utf8')), ...call.query };
}

/** @throws ApiError `malformedData` when it is no JSON object */
export function parseObject(text: string): Parameters {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badInput('malformedData');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badInput('malformedData');
  return value as Parameters;
}

export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) throw new BareStatus(413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** In one go, because headers that are set one by one cost more than the whole rest of an answer. */
export function sendHead(
  { response }: Pick<Call, 'response'>,
  status: number,
  headers: Readonly<Record<string, string | number>>,
): void {
  response.writeHead(status, { 'access-control-allow-origin': '*', ...headers });
}

export function sendJson(
  call: Call,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(value);
  sendHead(call, status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  const broken = brokenBody(call);
  if (broken === undefined || broken.afterBytes >= text.length) call.response.end(text);
  else {
    call.response.write(text.slice(0, broken.afterBytes));
    if (broken.kind === 'truncate-body') setTimeout(() => call.response.destroy(), CUT_AFTER_MS);
  }
}

/** What came by then is on its way when the connection ends. */
export const CUT_AFTER_MS = 20;

/** The rule that lets a body end early, or stand still until the client gives up. */
export function brokenBody({ faults }: Pick<Call, 'faults'>) {
  return faults.find((action) => action.kind === 'truncate-body' || action.kind === 'stall-body');
}

export function sendNothing(call: Call, status = 204, headers: Record<string, string> = {}): void {
  sendHead(call, status, status === 204 ? headers : { ...headers, 'content-length': '0' });
  call.response.end();
}

export function stringParameter(values: Parameters, key: string): string | undefined {
  const value = values[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw badInput('badValueString', { key });
  return value;
}

export function requiredString(values: Parameters, key: string): string {
  const value = stringParameter(values, key);
  if (value === undefined) throw missing(key);
  if (value === '') throw badInput('badValueEmpty', { key });
  return value;
}

export function integerParameter(values: Parameters, key: string): number | undefined {
  const value = values[key];
  if (value === undefined || value === null) return undefined;
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && /^-?\d+$/.test(value)
        ? Number(value)
        : NaN;
  if (!Number.isSafeInteger(number)) throw badInput('badValueInteger', { key });
  return number;
}

export function rangedInteger(
  values: Parameters,
  key: string,
  low: number,
  high: number,
): number | undefined {
  const number = integerParameter(values, key);
  if (number !== undefined && (number < low || number > high))
    throw badInput('badValueNotInRange', { key, low, high });
  return number;
}

export function booleanParameter(values: Parameters, key: string, otherwise: boolean): boolean {
  const value = values[key];
  if (value === undefined) return otherwise;
  if (typeof value !== 'boolean') throw badInput('badValueBoolean', { key });
  return value;
}

/** One value or a list of them. */
export function listParameter(values: Parameters, key: string): string[] | undefined {
  const value = values[key];
  if (value === undefined || value === null) return undefined;
  const list = Array.isArray(value) ? value : [value];
  if (!list.every((item) => typeof item === 'string')) throw badInput('badValueString', { key });
  return list as string[];
}

/** ⚠ Modes are octal text, `"0644"` or `"644"`. */
export function modeParameter(values: Parameters, key = 'mode'): number | undefined {
  const value = values[key];
  if (value === undefined || value === null) return undefined;
  if (!/^[0-7]+$/.test(String(value))) throw badInput('badValueInteger', { key });
  const mode = Number.parseInt(String(value), 8);
  if (mode > 0o1777) throw badInput('badValueNotInRange', { key, low: 0, high: 0o1777 });
  return mode;
}
