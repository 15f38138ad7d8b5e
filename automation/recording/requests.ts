import type { Alias as AliasMessage } from '@pulumi/pulumi/proto/alias_pb.js';
import type { ReadResourceRequest, RegisterResourceRequest } from '@pulumi/pulumi/proto/resource_pb.js';
import { type Alias, makeUrn, type ResourceOptions, type ResourceRequest } from './protocol.ts';
import { Struct } from './sdk.ts';
import { decodeProperties, encodeProperties, type Properties } from './values.ts';

/** Where a program runs; makes its URNs. */
export interface StackName {
  readonly stack: string;
  readonly project: string;
}

type StructMessage = InstanceType<typeof Struct>;

export function toStruct(properties: Properties): StructMessage {
  return Struct.fromJavaScript(encodeProperties(properties));
}

export function fromStruct(struct: StructMessage | undefined): Properties {
  return decodeProperties(struct?.toJavaScript());
}

/** The message of a registration in plain types. */
export function parseRegistration(message: RegisterResourceRequest, where: StackName): ResourceRequest {
  const parent = message.getParent();
  return {
    urn: makeUrn(where.stack, where.project, parent, message.getType(), message.getName()),
    type: message.getType(),
    name: message.getName(),
    custom: message.getCustom(),
    inputs: fromStruct(message.getObject()),
    options: parseOptions(message),
  };
}

function parseOptions(message: RegisterResourceRequest): ResourceOptions {
  const protect = message.hasProtect() ? message.getProtect() : undefined;
  const retainOnDelete = message.hasRetainondelete() ? message.getRetainondelete() : undefined;
  return {
    ...given('parent', message.getParent()),
    dependencies: message.getDependenciesList(),
    propertyDependencies: Object.fromEntries(
      mapEntries(message.getPropertydependenciesMap()).map(([key, value]) => [key, value.getUrnsList()]),
    ),
    ...(protect === undefined ? {} : { protect }),
    ...(retainOnDelete === undefined ? {} : { retainOnDelete }),
    ...(message.getDeletebeforereplacedefined()
      ? { deleteBeforeReplace: message.getDeletebeforereplace() }
      : {}),
    customTimeouts: {
      ...given('create', message.getCustomtimeouts()?.getCreate()),
      ...given('update', message.getCustomtimeouts()?.getUpdate()),
      ...given('delete', message.getCustomtimeouts()?.getDelete()),
    },
    ignoreChanges: message.getIgnorechangesList(),
    replaceOnChanges: message.getReplaceonchangesList(),
    additionalSecretOutputs: message.getAdditionalsecretoutputsList(),
    aliases: [
      ...message.getAliasesList().map(parseAlias),
      ...message.getAliasurnsList().map((urn): Alias => ({ urn })),
    ],
    ...given('provider', message.getProvider()),
    providers: Object.fromEntries(mapEntries(message.getProvidersMap())),
    ...given('version', message.getVersion()),
    ...given('importId', message.getImportid()),
    ...given('deletedWith', message.getDeletedwith()),
    replaceWith: message.getReplaceWithList(),
    hooks: parseHooks(message.getHooks()),
  };
}

/** Entries of a protobuf map. */
export function mapEntries<V>(map: { forEach(visit: (value: V, key: string) => void): void }): [string, V][] {
  const entries: [string, V][] = [];
  map.forEach((value, key) => {
    entries.push([key, value]);
  });
  return entries;
}

/** `{ key: text }`, or nothing where the protocol's "absent" (the empty text) stands. */
function given<Key extends string>(key: Key, text: string | undefined): { readonly [K in Key]?: string } {
  return (text ? { [key]: text } : {}) as { readonly [K in Key]?: string };
}

function parseHooks(
  binding: RegisterResourceRequest.ResourceHooksBinding | undefined,
): ResourceOptions['hooks'] {
  if (!binding) return {};
  const all = {
    beforeCreate: binding.getBeforeCreateList(),
    afterCreate: binding.getAfterCreateList(),
    beforeUpdate: binding.getBeforeUpdateList(),
    afterUpdate: binding.getAfterUpdateList(),
    beforeDelete: binding.getBeforeDeleteList(),
    afterDelete: binding.getAfterDeleteList(),
  };
  return Object.fromEntries(Object.entries(all).filter(([, names]) => names.length > 0));
}

function parseAlias(message: AliasMessage): Alias {
  const spec = message.getSpec();
  if (!spec) return { urn: message.getUrn() };
  return {
    spec: {
      ...given('name', spec.getName()),
      ...given('type', spec.getType()),
      ...given('stack', spec.getStack()),
      ...given('project', spec.getProject()),
      ...given('parentUrn', spec.getParenturn()),
      ...(spec.getNoparent() ? { noParent: true } : {}),
    },
  };
}

export function parseRead(message: ReadResourceRequest, where: StackName): ResourceRequest {
  return {
    urn: makeUrn(where.stack, where.project, message.getParent(), message.getType(), message.getName()),
    type: message.getType(),
    name: message.getName(),
    custom: true,
    inputs: fromStruct(message.getProperties()),
    options: {
      ...given('parent', message.getParent()),
      dependencies: message.getDependenciesList(),
      propertyDependencies: {},
      customTimeouts: {},
      ignoreChanges: [],
      replaceOnChanges: [],
      additionalSecretOutputs: message.getAdditionalsecretoutputsList(),
      aliases: [],
      ...given('provider', message.getProvider()),
      providers: {},
      ...given('version', message.getVersion()),
      replaceWith: [],
      hooks: {},
    },
  };
}
