import type { Callback } from '@pulumi/pulumi/proto/callback_pb.js';
import type { RegisterResourceRequest, TransformResourceOptions } from '@pulumi/pulumi/proto/resource_pb.js';
import type { HookCall } from './protocol.ts';
import { mapEntries, toStruct } from './requests.ts';
import { callbackMessages, callbackServices, grpc, messages } from './sdk.ts';

/** Calls functions inside the running program: hooks and transforms. One connection for each address it names. */
export class CallbackClients {
  readonly #clients = new Map<string, InstanceType<typeof callbackServices.CallbacksClient>>();

  async #invoke(callback: Callback, request: Uint8Array): Promise<Uint8Array> {
    const target = callback.getTarget();
    let client = this.#clients.get(target);
    if (!client) {
      client = new callbackServices.CallbacksClient(target, grpc.credentials.createInsecure(), {
        'grpc.max_receive_message_length': -1,
        'grpc.max_send_message_length': -1,
      });
      this.#clients.set(target, client);
    }
    const message = new callbackMessages.CallbackInvokeRequest();
    message.setToken(callback.getToken());
    message.setRequest(request);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    client.invoke(message, (error, response) => {
      if (error) reject(new Error(error.details || error.message, { cause: error }));
      else resolve(response.getResponse_asU8());
    });
    return promise;
  }

  /** Runs a hook. Resolves to its error message; to undefined when it passed. */
  async runHook(callback: Callback, call: HookCall): Promise<string | undefined> {
    const request = new messages.ResourceHookRequest();
    request.setUrn(call.urn);
    request.setId(call.id);
    request.setName(call.name);
    request.setType(call.type);
    if (call.newInputs) request.setNewInputs(toStruct(call.newInputs));
    if (call.oldInputs) request.setOldInputs(toStruct(call.oldInputs));
    if (call.newOutputs) request.setNewOutputs(toStruct(call.newOutputs));
    if (call.oldOutputs) request.setOldOutputs(toStruct(call.oldOutputs));
    const response = await this.#invoke(callback, request.serializeBinary());
    return messages.ResourceHookResponse.deserializeBinary(response).getError() || undefined;
  }

  /** Runs a transform and writes its result into the registration. */
  async transform(callback: Callback, registration: RegisterResourceRequest): Promise<void> {
    const request = new messages.TransformRequest();
    request.setType(registration.getType());
    request.setName(registration.getName());
    request.setCustom(registration.getCustom());
    request.setParent(registration.getParent());
    request.setProperties(registration.getObject());
    request.setOptions(transformOptions(registration));
    const bytes = await this.#invoke(callback, request.serializeBinary());
    const response = messages.TransformResponse.deserializeBinary(bytes);
    const properties = response.getProperties();
    if (properties) registration.setObject(properties);
    const options = response.getOptions();
    if (options) applyOptions(registration, options);
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }
}

function transformOptions(registration: RegisterResourceRequest): TransformResourceOptions {
  const options = new messages.TransformResourceOptions();
  options.setDependsOnList(registration.getDependenciesList());
  if (registration.hasProtect()) options.setProtect(registration.getProtect() ?? false);
  options.setIgnoreChangesList(registration.getIgnorechangesList());
  options.setReplaceOnChangesList(registration.getReplaceonchangesList());
  options.setVersion(registration.getVersion());
  options.setAliasesList(registration.getAliasesList());
  options.setProvider(registration.getProvider());
  options.setCustomTimeouts(registration.getCustomtimeouts());
  options.setPluginDownloadUrl(registration.getPlugindownloadurl());
  if (registration.hasRetainondelete()) options.setRetainOnDelete(registration.getRetainondelete() ?? false);
  options.setDeletedWith(registration.getDeletedwith());
  if (registration.getDeletebeforereplacedefined()) {
    options.setDeleteBeforeReplace(registration.getDeletebeforereplace());
  }
  options.setAdditionalSecretOutputsList(registration.getAdditionalsecretoutputsList());
  for (const [name, reference] of mapEntries(registration.getProvidersMap())) {
    options.getProvidersMap().set(name, reference);
  }
  options.setHooks(registration.getHooks());
  options.setImport(registration.getImportid());
  options.setReplaceWithList(registration.getReplaceWithList());
  return options;
}

function applyOptions(registration: RegisterResourceRequest, options: TransformResourceOptions): void {
  registration.setDependenciesList(options.getDependsOnList());
  if (options.hasProtect()) registration.setProtect(options.getProtect() ?? false);
  registration.setIgnorechangesList(options.getIgnoreChangesList());
  registration.setReplaceonchangesList(options.getReplaceOnChangesList());
  registration.setVersion(options.getVersion());
  registration.setAliasesList(options.getAliasesList());
  registration.setProvider(options.getProvider());
  registration.setCustomtimeouts(options.getCustomTimeouts());
  if (options.hasRetainOnDelete()) registration.setRetainondelete(options.getRetainOnDelete() ?? false);
  registration.setDeletedwith(options.getDeletedWith());
  if (options.hasDeleteBeforeReplace()) {
    registration.setDeletebeforereplace(options.getDeleteBeforeReplace() ?? false);
    registration.setDeletebeforereplacedefined(true);
  }
  registration.setAdditionalsecretoutputsList(options.getAdditionalSecretOutputsList());
  registration.setHooks(options.getHooks());
  registration.setImportid(options.getImport());
  registration.setReplaceWithList(options.getReplaceWithList());
}
