import { readFile } from 'node:fs/promises';
import { type SyncConfig, syncConfigSchema } from '../../../contract/config.ts';

/** The configuration file cannot be used. Names every problem of it, in one line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** @throws ConfigError */
export async function readConfig(file: string): Promise<SyncConfig> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`the configuration ${file} cannot be read: ${(error as Error).message}`);
  }
  const parsed = syncConfigSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'file'}: ${issue.message}`);
  throw new ConfigError(`the configuration ${file} is not valid: ${problems.join('; ')}`);
}
