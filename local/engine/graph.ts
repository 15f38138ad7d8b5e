import { type Alias, makeUrn, nameOf, type ResourceRequest, typeOf } from './protocol.ts';
import type { ResourceState, StoredOptions } from './state.ts';

/** URNs that a resource must outlive nothing of, i.e. that must still exist when it is deleted. */
export function dependenciesOf(options: StoredOptions): string[] {
  const provider = options.provider?.split('::').slice(0, -1).join('::');
  return [
    ...options.dependencies,
    ...Object.values(options.propertyDependencies).flat(),
    ...(options.parent ? [options.parent] : []),
    ...(provider ? [provider] : []),
  ];
}

/** For each of the resources, those of them that depend on it directly (and so must go first). */
export function dependentsWithin(resources: readonly ResourceState[]): Map<ResourceState, ResourceState[]> {
  const byUrn = Map.groupBy(resources, (resource) => resource.urn);
  const dependents = new Map<ResourceState, ResourceState[]>(resources.map((resource) => [resource, []]));
  for (const resource of resources) {
    for (const urn of new Set(dependenciesOf(resource.options))) {
      for (const needed of byUrn.get(urn) ?? []) {
        if (needed !== resource) dependents.get(needed)?.push(resource);
      }
    }
  }
  return dependents;
}

/**
 * Earlier URNs of a resource: its aliases, and its present names under earlier URNs of its parent.
 * `parentAliases` are the earlier URNs of the parent.
 */
export function aliasUrns(
  request: ResourceRequest,
  where: { readonly stack: string; readonly project: string },
  parentAliases: readonly string[],
): string[] {
  const parent = request.options.parent;
  const parents = [...(parent === undefined ? [] : [parent]), ...parentAliases];
  const own = request.options.aliases.flatMap((alias) => resolveAlias(alias, request, where, parents));
  const moved = parentAliases.flatMap((earlier) => {
    // A child usually carries its parent's name in front; renaming the parent renames it too.
    const renamed =
      parent && request.name.startsWith(nameOf(parent))
        ? nameOf(earlier) + request.name.slice(nameOf(parent).length)
        : request.name;
    return [request.name, renamed].map((name) =>
      makeUrn(where.stack, where.project, earlier, request.type, name),
    );
  });
  return [...new Set([...own, ...moved])].filter((urn) => urn !== request.urn);
}

function resolveAlias(
  alias: Alias,
  request: ResourceRequest,
  where: { readonly stack: string; readonly project: string },
  parents: readonly string[],
): string[] {
  if (alias.urn !== undefined) return [alias.urn];
  const { spec = {} } = alias;
  const stack = spec.stack ?? where.stack;
  const project = spec.project ?? where.project;
  const candidates = spec.noParent ? [undefined] : spec.parentUrn ? [spec.parentUrn] : parents;
  const type = spec.type ?? request.type;
  const name = spec.name ?? request.name;
  const urns = candidates.map((parent) => makeUrn(stack, project, parent, type, name));
  return spec.noParent || candidates.length > 0 ? urns : [makeUrn(stack, project, undefined, type, name)];
}

/** The resources with one URN in place of another, wherever it is named. */
export function renameUrn(resources: readonly ResourceState[], from: string, to: string): ResourceState[] {
  const rename = (urn: string) => (urn === from ? to : urn);
  return resources.map((resource) => {
    const { options } = resource;
    return {
      ...resource,
      urn: rename(resource.urn),
      ...(resource.urn === from ? { type: typeOf(to), name: nameOf(to) } : {}),
      options: {
        ...options,
        ...(options.parent === undefined ? {} : { parent: rename(options.parent) }),
        dependencies: options.dependencies.map(rename),
        propertyDependencies: Object.fromEntries(
          Object.entries(options.propertyDependencies).map(([key, urns]) => [key, urns.map(rename)]),
        ),
      },
    };
  });
}
