import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { cacheDirectory, cacheKey } from '../tools/cache.ts';

/** Schemas for kubeconform, from the API descriptions that the Go modules of the embedded cluster bring. */

type Schema = { [key: string]: unknown };

/** Modules of the embedded cluster, so that the schemas are those of the API server that the tests use. */
const MODULES = { kubernetes: 'k8s.io/kubernetes', gateway: 'sigs.k8s.io/gateway-api' } as const;
const GO_FOLDER = fileURLToPath(new URL('../../local/cluster/go/', import.meta.url));
/** Counted up when what is made of the descriptions changes. */
const FORM = 1;

/** Folder with a file for each kind of the program. @throws Error where Go or a module is missing */
export async function manifestSchemas(kinds: readonly string[]): Promise<string> {
  const goMod = await readFile(join(GO_FOLDER, 'go.mod'), 'utf8');
  const version = (module: string) =>
    new RegExp(`${module}(?: =>)?[^\\n]* (v[^\\s]+)`).exec(goMod)?.[1] ?? 'none';
  const versions = [version(MODULES.kubernetes), version(MODULES.gateway)];
  // All names of kinds together are longer than a name of a file may be.
  const key = [...versions, cacheKey(String(FORM), ...kinds.toSorted())].join('_');
  const directory = cacheDirectory('manifest-schemas', key);
  if (existsSync(directory)) return directory;
  await mkdir(dirname(directory), { recursive: true });
  const draft = await mkdtemp(`${directory}-draft-`);
  try {
    const swagger = JSON.parse(
      await readFile(join(moduleFolder(MODULES.kubernetes), 'api/openapi-spec/swagger.json'), 'utf8'),
    ) as { definitions: Record<string, Schema> };
    const definitions = Object.fromEntries(
      Object.entries(swagger.definitions).map(([name, schema]) => [name, strict(name, schema)]),
    );
    for (const [name, schema] of Object.entries(swagger.definitions)) {
      const [id] = (schema['x-kubernetes-group-version-kind'] ?? []) as {
        group: string;
        version: string;
        kind: string;
      }[];
      if (id && kinds.includes(id.kind))
        await writeFile(join(draft, fileName(id)), JSON.stringify({ ...definitions[name], definitions }));
    }
    const routes = 'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml';
    const route = parse(await readFile(join(moduleFolder(MODULES.gateway), routes), 'utf8')) as {
      spec: {
        group: string;
        names: { kind: string };
        versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
      };
    };
    for (const { name, schema } of route.spec.versions) {
      const id = { group: route.spec.group, version: name, kind: route.spec.names.kind };
      await writeFile(join(draft, fileName(id)), JSON.stringify(strictly(schema.openAPIV3Schema)));
    }
    await rename(draft, directory).catch((error: NodeJS.ErrnoException) => {
      // Another process was faster; what it made comes from the same inputs.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return directory;
}

/** As kubeconform looks for it. */
const fileName = ({ group, version, kind }: { group: string; version: string; kind: string }) =>
  `${[kind, group.split('.')[0], version].filter(Boolean).join('-').toLowerCase()}.json`;

function moduleFolder(module: string): string {
  const result = spawnSync('go', ['mod', 'download', '-json', module], {
    cwd: GO_FOLDER,
    encoding: 'utf8',
    env: { ...process.env, GOFLAGS: '-mod=mod' },
  });
  if (result.error || result.status !== 0) {
    const why = result.error ? 'Go was not found' : result.stderr.trim() || result.stdout.trim();
    throw new Error(`${module} could not be fetched: ${why}. Expected: Go ≥ 1.24 and its module proxy.`);
  }
  return (JSON.parse(result.stdout) as { Dir: string }).Dir;
}

/** Both are written as text or number. */
const TEXT_OR_NUMBER = /\.(IntOrString|Quantity)$/;
/** Any form at all. */
const OPEN = /\.(JSON|JSONSchemaProps|RawExtension|FieldsV1|CustomResource\w+)$/;

const strict = (name: string, schema: Schema): Schema =>
  TEXT_OR_NUMBER.test(name) ? { type: ['string', 'number'] } : OPEN.test(name) ? {} : strictly(schema);

/** A key that is not described is a mistake; what only the API server reads is left out. */
function strictly(schema: Schema): Schema {
  const entries = Object.entries(schema)
    .filter(([key]) => !key.startsWith('x-kubernetes') && key !== 'format')
    .map(([key, value]): [string, unknown] => [
      key,
      key === 'properties'
        ? Object.fromEntries(
            Object.entries(value as Record<string, Schema>).map(([name, part]) => [name, strictly(part)]),
          )
        : key === 'items' || (key === 'additionalProperties' && typeof value === 'object')
          ? strictly(value as Schema)
          : value,
    ]);
  const isClosed = schema.properties !== undefined && schema.additionalProperties === undefined;
  const isOpen = schema['x-kubernetes-int-or-string'] === true;
  if (isOpen) return { type: ['string', 'number'] };
  const isMetadata = schema.type === 'object' && schema.properties === undefined;
  return {
    ...Object.fromEntries(entries),
    ...(isClosed && !isMetadata ? { additionalProperties: false } : {}),
  };
}
