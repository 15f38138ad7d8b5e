import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type GatewayConfig, gatewayConfigSchema } from '../../contract/config.ts';
import { parsePasswordHash } from '../../contract/password-hash.ts';
import { GATEWAY_SECRET_KEYS } from '../../contract/paths.ts';
import { SettingsError } from '../front/settings-error.ts';

/** What the Secret holds at the moment. */
export interface GatewaySecrets {
  readonly passwordHash: string;
  readonly sessionKey: Buffer;
  /** Empty where there is none. */
  readonly signInClientSecret: string;
}

const SESSION_KEY_MIN_BYTES = 32;

/** A change of a mounted Secret is seen at most this much later than the kubelet writes it. */
const SECRETS_MAX_AGE_MS = 1000;

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new SettingsError(
      `Cannot read ${what}: ${path} (${code}). It is mounted from the instance's namespace; check that it exists there.`,
      { cause },
    );
  }
}

/**
 * Reads and checks the mounted configuration.
 * @throws SettingsError with one line a problem.
 */
export function loadGatewayConfig(path: string): GatewayConfig {
  const text = readText(path, 'the configuration of the gateway');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SettingsError(`The configuration of the gateway is not JSON: ${path}.`, { cause });
  }
  const parsed = gatewayConfigSchema.safeParse(json);
  if (!parsed.success) {
    throw new SettingsError(`The configuration of the gateway, ${path}:\n${z.prettifyError(parsed.error)}`);
  }
  return { ...parsed.data, publicOrigin: new URL(parsed.data.publicOrigin).origin };
}

function readSecrets(directory: string): GatewaySecrets {
  const hashPath = join(directory, GATEWAY_SECRET_KEYS.passwordHash);
  const passwordHash = readText(hashPath, 'the hash of the desktop password').trim();
  parsePasswordHash(passwordHash);
  const keyPath = join(directory, GATEWAY_SECRET_KEYS.sessionKey);
  const sessionKey = Buffer.from(readText(keyPath, 'the key of the sessions').trim(), 'base64');
  if (sessionKey.length < SESSION_KEY_MIN_BYTES) {
    throw new SettingsError(
      `The key of the sessions is too short: ${keyPath} holds ${sessionKey.length} bytes in base64, ` +
        `at least ${SESSION_KEY_MIN_BYTES} are needed.`,
    );
  }
  return { passwordHash, sessionKey, signInClientSecret: readOptional(directory) };
}

function readOptional(directory: string): string {
  const path = join(directory, GATEWAY_SECRET_KEYS.signInClientSecret);
  return existsSync(path) ? readText(path, 'the secret of the sign-in').trim() : '';
}

/** The mounted Secret, read again when it changes. */
export interface SecretStore {
  /** The newest usable content. A Secret that became unusable is reported once, and the last good one stays in force. */
  current(): GatewaySecrets;
}

/** @throws SettingsError, PasswordHashError when the first read finds nothing usable. */
export function openSecretStore(directory: string, onProblem: (error: Error) => void): SecretStore {
  let secrets = readSecrets(directory);
  let readAt = performance.now();
  let lastProblem = '';
  return {
    current() {
      if (performance.now() - readAt < SECRETS_MAX_AGE_MS) return secrets;
      readAt = performance.now();
      try {
        secrets = readSecrets(directory);
        lastProblem = '';
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        if (error.message !== lastProblem) onProblem(error);
        lastProblem = error.message;
      }
      return secrets;
    },
  };
}
