import { createRequire } from 'node:module';
import type * as EngineServices from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import type * as EngineMessages from '@pulumi/pulumi/proto/engine_pb.js';
import type * as ResourceMessages from '@pulumi/pulumi/proto/resource_pb.js';
import type * as EmptyMessages from 'google-protobuf/google/protobuf/empty_pb.js';
import type * as StructMessages from 'google-protobuf/google/protobuf/struct_pb.js';

/**
 * Pulumi's own protocol definitions, as its SDK ships them. They are loaded through the SDK, so that messages and the
 * protobuf runtime under them are one copy: a `Struct` of another copy is not serialised.
 */
const require = createRequire(import.meta.url);
const fromSdk = createRequire(require.resolve('@pulumi/pulumi'));

export const grpc: typeof import('@grpc/grpc-js') = fromSdk('@grpc/grpc-js');
export const { Struct, Value: StructValue }: typeof StructMessages = fromSdk(
  'google-protobuf/google/protobuf/struct_pb.js',
);
export const { Empty }: typeof EmptyMessages = fromSdk('google-protobuf/google/protobuf/empty_pb.js');
export const messages: typeof ResourceMessages = fromSdk('@pulumi/pulumi/proto/resource_pb.js');
export const engineMessages: typeof EngineMessages = fromSdk('@pulumi/pulumi/proto/engine_pb.js');
export const callbackMessages: typeof import('@pulumi/pulumi/proto/callback_pb.js') = fromSdk(
  '@pulumi/pulumi/proto/callback_pb.js',
);
export const callbackServices: typeof import('@pulumi/pulumi/proto/callback_grpc_pb.js') = fromSdk(
  '@pulumi/pulumi/proto/callback_grpc_pb.js',
);
export const engineServices: typeof EngineServices = fromSdk('@pulumi/pulumi/proto/engine_grpc_pb.js');
export const monitorServices: typeof import('@pulumi/pulumi/proto/resource_grpc_pb.js') = fromSdk(
  '@pulumi/pulumi/proto/resource_grpc_pb.js',
);
