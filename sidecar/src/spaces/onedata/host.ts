import { SpaceError } from '../space-error.ts';

/**
 * Origin of a Onedata host as it stands in the configuration: a host name, with a port where it is not 443.
 * @throws SpaceError `unreachable` with a sentence for what is no host name
 */
export function originOf(host: string): string {
  const text = host.trim();
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[0];
  const rest = scheme === undefined ? text : text.slice(scheme.length);
  const name = rest.split(/[/?#]/, 1)[0] ?? '';
  const isPlain = scheme === undefined && name === rest;
  if (
    !isPlain ||
    !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i.test(name) ||
    Number(name.split(':')[1] ?? 1) > 65_535
  ) {
    const found =
      scheme !== undefined
        ? 'an address with a scheme'
        : name !== rest
          ? 'a host with a path'
          : /^[^:]+:[^:]*$/.test(name)
            ? 'a host with something else than a port behind it'
            : 'no host name';
    const bare = name.replace(/:(443|\D.*|)$/, '');
    const advice = /^[a-z0-9.-]+(:\d{1,5})?$/i.test(bare)
      ? `write only ${JSON.stringify(bare)}`
      : 'write a name like provider.example.org';
    throw new SpaceError('unreachable', `The Onedata host ${JSON.stringify(host)} is ${found}: ${advice}.`);
  }
  return `https://${name}`;
}
