import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../tools/cache.ts';
import { callsPastProxies } from '../tools/own-calls.ts';
import { EngineError, type ProgramHost } from './protocol.ts';
import { serveProgram } from './server.ts';

export interface ProgramOptions {
  /** Folder of Pulumi.yaml; the program's modules are found from here. */
  readonly directory: string;
  readonly project: string;
  readonly stack: string;
  /** Full keys (`project:key`) → values as Pulumi stores them: text, and JSON text for structures. */
  readonly config: Readonly<Record<string, string>>;
  readonly secretKeys: readonly string[];
  readonly dryRun: boolean;
  /** `main` of Pulumi.yaml, where there is one. */
  readonly main?: string;
  /** false where Pulumi.yaml turns TypeScript off. */
  readonly typescript?: boolean;
  /** What the program itself prints, line by line. */
  readonly onPrint?: (line: string) => void;
  /** Added to the environment of the program. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The program's exit: 0 done, 32 failed after reporting why, anything else failed. */
export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Last lines of what it wrote to standard error. */
  readonly errorOutput: string;
}

const ERROR_LINES = 40;

/** Runs the program in a process of its own, answered by `host`; resolves when it has ended. */
export async function startProgram(host: ProgramHost, options: ProgramOptions): Promise<ProgramExit> {
  if (Number(process.versions.node.split('.')[0]) < 22) {
    throw new EngineError(
      `The recording engine needs Node.js 22 or newer; this is ${process.version}. Start it through npm, which brings Node.js 24.`,
    );
  }
  const runner = findRunner(options.directory);
  const server = await serveProgram(host, options);
  try {
    const child = spawn(process.execPath, programArguments(server.address, options), {
      cwd: options.directory,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...programEnvironment(), ...options.environment },
      ...(options.signal ? { signal: options.signal, killSignal: 'SIGINT' as const } : {}),
    });
    child.stdin.end(JSON.stringify({ runner, ...programVariables(options) }));
    return await waitForExit(child, options.onPrint ?? (() => undefined));
  } finally {
    server.close();
  }
}

/** Compiled modules of the SDKs are kept by Node itself; saves a second at each start. */
export function programEnvironment(): NodeJS.ProcessEnv {
  return {
    NODE_COMPILE_CACHE: cacheDirectory('node-modules', process.version),
    ...process.env,
    ...callsPastProxies(),
  };
}

/** What the SDK reads from its environment, and the program's own process puts there. */
export function programVariables(options: ProgramOptions) {
  return {
    environment: {
      PULUMI_NODEJS_TYPESCRIPT: String(options.typescript !== false),
      // `npm run check` checks types; doing so again at each run would cost seconds.
      PULUMI_NODEJS_TRANSPILE_ONLY: process.env.PULUMI_NODEJS_TRANSPILE_ONLY ?? 'true',
    },
    secretEnvironment: {
      PULUMI_CONFIG: JSON.stringify(options.config),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(options.secretKeys),
    },
  };
}

/** @throws EngineError when the packages of the program are not installed. */
export function findRunner(directory: string): string {
  try {
    return createRequire(join(directory, 'package.json')).resolve('@pulumi/pulumi/cmd/run');
  } catch (cause) {
    throw new EngineError(
      `@pulumi/pulumi was not found from ${directory}. Expected: its packages installed. Run \`npm ci\` there.`,
      { cause },
    );
  }
}

export const NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--disable-warning=DeprecationWarning',
  '--disable-warning=DEP0205',
] as const;

function programArguments(address: string, options: ProgramOptions): string[] {
  return [
    ...NODE_FLAGS,
    fileURLToPath(new URL('./launch.ts', import.meta.url)),
    `--monitor=${address}`,
    `--engine=${address}`,
    `--project=${options.project}`,
    `--stack=${options.stack}`,
    '--organization=organization',
    `--root-directory=${options.directory}`,
    `--pwd=${options.directory}`,
    '--parallel=16',
    ...(options.dryRun ? ['--dry-run'] : []),
    options.main ?? '.',
  ];
}

function waitForExit(child: ChildProcess, onPrint: (line: string) => void): Promise<ProgramExit> {
  const errorLines: string[] = [];
  const read = (stream: NodeJS.ReadableStream | null, onLine: (line: string) => void) => {
    if (!stream) return Promise.resolve();
    const lines = createInterface({ input: stream });
    lines.on('line', onLine);
    return new Promise<void>((resolve) => lines.once('close', () => resolve()));
  };
  const streams = Promise.all([
    read(child.stdout, onPrint),
    read(child.stderr, (line) => {
      errorLines.push(line);
      if (errorLines.length > ERROR_LINES) errorLines.shift();
      onPrint(line);
    }),
  ]);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', async (code, signal) => {
      await streams;
      resolve({ code, signal, errorOutput: errorLines.join('\n') });
    });
  });
}
