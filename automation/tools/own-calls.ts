/** Loopback, as lists of hosts beside a proxy name it. */
const HERE = ['127.0.0.1', 'localhost', '::1'];

/**
 * For the environment of Pulumi programs: engine and program call each other on this machine by gRPC, whose library for
 * Node.js gives even those calls to a proxy, unless a list names them. That list is of gRPC alone; what the user says
 * for all else is left.
 */
export function callsPastProxies(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const { no_grpc_proxy: ofGrpc, no_proxy: lower, NO_PROXY: upper } = environment;
  const given = (ofGrpc || lower || upper || '').split(',').filter((host) => host !== '');
  return { no_grpc_proxy: [...new Set([...given, ...HERE])].join(',') };
}
