/** What the Pulumi engine hears of us, over its own protocol. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { type LogRequest } from "@pulumi/pulumi/proto/engine_pb";

import { tellOf } from "../../../provider/adapters/engine";

const heard: object[] = [];
const server = new Server();
const { argv } = process;

beforeAll(async () => {
  server.addService(EngineService, {
    log: ({ request }: { request: LogRequest }, done: (error: null, reply: object) => void) => {
      heard.push({
        urn: request.getUrn(),
        message: request.getMessage(),
        severity: request.getSeverity(),
      });
      done(null, EngineService.log.responseDeserialize(Buffer.alloc(0)));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
  process.argv = [
    "node",
    "/lib/node_modules/@pulumi/pulumi/cmd/dynamic-provider/index.js",
    `127.0.0.1:${port.toString()}`,
  ];
});

afterAll(() => {
  process.argv = argv;
  server.forceShutdown();
});

const URN = "urn:pulumi:prod::acme::pulumi-nodejs:dynamic/lbshield:SynproxyRule::web";

test("a status and a warning are shown on the line of their resource", async () => {
  const tell = tellOf(URN);
  tell("waiting", "status");
  tell("undone", "warning");
  for (let i = 0; i < 500 && heard.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(heard).toEqual(
    expect.arrayContaining([
      { urn: URN, message: "waiting", severity: 1 },
      { urn: URN, message: "undone", severity: 2 },
    ]),
  );
});

test("where there is no engine, or no resource that is known, nothing is said", () => {
  tellOf(undefined)("waiting", "status");
  process.argv = ["node", "program.js", "127.0.0.1:1"];
  tellOf(URN)("waiting", "status");
  expect(heard).toHaveLength(2);
});
