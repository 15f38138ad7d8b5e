import { randomUUID } from 'node:crypto';
import type { handleUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Callback } from '@pulumi/pulumi/proto/callback_pb.js';
import type { IEngineServer } from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import type { IResourceMonitorServer } from '@pulumi/pulumi/proto/resource_grpc_pb.js';
import type { RegisterResourceRequest } from '@pulumi/pulumi/proto/resource_pb.js';
import { CallbackClients } from './callbacks.ts';
import { EngineError, type ProgramHost } from './protocol.ts';
import { fromStruct, parseRead, parseRegistration, type StackName, toStruct } from './requests.ts';
import { Empty, engineMessages, engineServices, grpc, messages, monitorServices } from './sdk.ts';

const SEVERITIES = ['debug', 'info', 'warning', 'error'] as const;

/** The optional parts of the protocol that this engine speaks, under their old and new names. */
const FEATURES = {
  secrets: messages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_SECRETS,
  resourceReferences: messages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
  outputValues: messages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
  aliasSpecs: messages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
  deletedWith: messages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
  transforms: messages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
  resourceHooks: messages.ResourceMonitorFeature.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
} as const;

export interface EngineServer {
  /** `127.0.0.1:<port>`, for the monitor and the engine service alike. */
  readonly address: string;
  close(): void;
}

/** Serves the host to one program, on a free loopback port. */
export async function serveProgram(host: ProgramHost, where: StackName): Promise<EngineServer> {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
  });
  const callbacks = new CallbackClients();
  server.addService(monitorServices.ResourceMonitorService, monitorService(host, where, callbacks));
  server.addService(engineServices.EngineService, engineService(host));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
    error ? reject(error) : resolve(port),
  );
  const port = await promise;
  return {
    address: `127.0.0.1:${port}`,
    close: () => {
      callbacks.close();
      server.forceShutdown();
    },
  };
}

/** A unary method from an async function; a throw becomes the status of the call. */
function unary<Request, Response>(
  answer: (request: Request) => Promise<Response> | Response,
): handleUnaryCall<Request, Response> {
  return async (call, callback) => {
    try {
      callback(null, await answer(call.request));
    } catch (error) {
      const details = error instanceof Error ? error.message : String(error);
      callback({ code: grpc.status.UNKNOWN, details });
    }
  };
}

function unsupported(what: string): handleUnaryCall<unknown, never> {
  return unary(() => {
    throw new EngineError(`${what} is not recorded: it needs Pulumi itself.`);
  });
}

function engineService(host: ProgramHost): UntypedServiceImplementation {
  let root = '';
  const service: IEngineServer = {
    log: unary((request) => {
      const urn = request.getUrn();
      host.log({
        severity: SEVERITIES[request.getSeverity()] ?? 'info',
        message: request.getMessage(),
        ...(urn ? { urn } : {}),
        ephemeral: request.getEphemeral(),
      });
      return new Empty();
    }),
    getRootResource: unary(() => {
      const response = new engineMessages.GetRootResourceResponse();
      response.setUrn(root);
      return response;
    }),
    setRootResource: unary((request) => {
      root = request.getUrn();
      return new engineMessages.SetRootResourceResponse();
    }),
    startDebugging: unary(() => new Empty()),
    requirePulumiVersion: unary(() => new engineMessages.RequirePulumiVersionResponse()),
  };
  return service;
}

function monitorService(
  host: ProgramHost,
  where: StackName,
  callbacks: CallbackClients,
): UntypedServiceImplementation {
  const stackTransforms: Callback[] = [];
  const ownTransforms = new Map<string, { parent: string; callbacks: readonly Callback[] }>();

  /** The resource's own transforms first, then those of its parents from the inside out, then the stack's. */
  async function applyTransforms(message: RegisterResourceRequest): Promise<void> {
    const inherited: Callback[] = [];
    for (let urn = message.getParent(); urn; urn = ownTransforms.get(urn)?.parent ?? '') {
      inherited.push(...(ownTransforms.get(urn)?.callbacks ?? []));
    }
    for (const transform of [...message.getTransformsList(), ...inherited, ...stackTransforms]) {
      await callbacks.transform(transform, message);
    }
  }

  const service: Omit<IResourceMonitorServer, 'existsResource'> = {
    getDeploymentInfo: unary(() => {
      const info = new messages.DeploymentInfo();
      info.setProject(where.project);
      info.setStack(where.stack);
      info.setSupportedfeaturesList(Object.values(FEATURES));
      return info;
    }),
    supportsFeature: unary((request) => {
      const response = new messages.SupportsFeatureResponse();
      response.setHassupport(request.getId() in FEATURES);
      return response;
    }),
    registerStackTransform: unary((callback) => {
      stackTransforms.push(callback);
      return new Empty();
    }),
    registerStackInvokeTransform: unsupported('A transform of function calls'),
    registerResourceHook: unary((request) => {
      const callback = request.getCallback();
      if (!callback) throw new EngineError(`hook ${request.getName()} has no callback`);
      host.registerHook({
        name: request.getName(),
        onDryRun: request.getOnDryRun(),
        ignoreErrors: request.getIgnoreErrors(),
        run: (call) => callbacks.runHook(callback, call),
      });
      return new Empty();
    }),
    registerErrorHook: unsupported('An error hook'),
    registerPackage: unary(() => {
      const response = new messages.RegisterPackageResponse();
      response.setRef(randomUUID());
      return response;
    }),
    registerResource: unary(async (message) => {
      if (message.getRemote()) {
        throw new EngineError(
          `${message.getType()} ${message.getName()} is a component of a plugin; a recording runs no plugins.`,
        );
      }
      await applyTransforms(message);
      const request = parseRegistration(message, where);
      ownTransforms.set(request.urn, { parent: message.getParent(), callbacks: message.getTransformsList() });
      const answer = await host.register(request);
      const response = new messages.RegisterResourceResponse();
      response.setUrn(request.urn);
      response.setId(answer.id ?? '');
      response.setObject(toStruct(answer.outputs));
      response.setUnknown(answer.isUnknown ?? false);
      return response;
    }),
    registerResourceOutputs: unary((message) => {
      host.registerOutputs(message.getUrn(), fromStruct(message.getOutputs()));
      return new Empty();
    }),
    readResource: unary(async (message) => {
      const request = parseRead(message, where);
      const answer = await host.read(request, message.getId());
      const response = new messages.ReadResourceResponse();
      response.setUrn(request.urn);
      response.setProperties(toStruct(answer.outputs));
      return response;
    }),
    invoke: unary(async (message) => {
      const response = new messages.ResourceInvokeResponse();
      response.setReturn(toStruct(await host.invoke(message.getTok(), fromStruct(message.getArgs()))));
      return response;
    }),
    call: unsupported('A method call on a resource'),
    signalAndWaitForShutdown: unary(async () => {
      await host.finish();
      return new Empty();
    }),
  };
  return service as UntypedServiceImplementation;
}
