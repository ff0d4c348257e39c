import "../../protobufText";
import { promisify } from "node:util";
import {
  Server,
  ServerCredentials,
  status,
  type ServerWritableStream,
  type ServiceDefinition,
  type ServiceError,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { mapValues } from "lodash";
import { messageOf } from "../host/labError";

/** A method of a gRPC service. It returns its response, or writes a stream to the call. */
type Method = (request: never, call: never) => unknown;
export type Methods = Record<string, Method>;

/** Serves methods of a gRPC service on a free port of 127.0.0.1. gRPC refuses the service's other methods by name. */
export async function serveGrpc(service: object, methods: Methods): Promise<{ server: Server; port: number }> {
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  server.addService(service as ServiceDefinition, mapValues(methods, handlerOf) as UntypedServiceImplementation);
  const bind = promisify(server.bindAsync.bind(server));
  return { server, port: await bind("127.0.0.1:0", ServerCredentials.createInsecure()) };
}

type Callback = (error: Partial<ServiceError> | null, response?: unknown) => void;

const handlerOf = (method: Method) => (call: ServerWritableStream<never, never>, callback?: Callback) => {
  // In `then`, so that an error of a synchronous method becomes a response, too.
  Promise.resolve()
    .then(() => method(call.request, call as never))
    .then(
      (response) => (callback ? callback(null, response) : call.end()),
      (error: unknown) => (callback ? callback(failure(error)) : call.emit("error", failure(error))),
    );
};

/** Converts an error to a gRPC status. */
function failure(error: unknown): Partial<ServiceError> {
  const { metadata } = error as Partial<ServiceError>;
  return { code: status.UNKNOWN, details: messageOf(error), metadata };
}
