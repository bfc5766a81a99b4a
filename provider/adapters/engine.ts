/** The Pulumi engine, as a process beside ours: what we say on a resource's own line, and what we do when it is gone. */
import { credentials } from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";

import { type Tell } from "../engine/transaction";
import { type Hosts } from "../hosts";

/** The dynamic provider's process gets the engine's address as its argument; other processes have none. */
const engineAddress = (): string | undefined =>
  /[/\\]dynamic-provider([/\\]|$)/.test(process.argv[1] ?? "") ? process.argv[2] : undefined;

let client: EngineClient | undefined;

/** Shows on the line of the resource that it is about. Silent where there is no engine. */
export function tellOf(urn: unknown): Tell {
  const address = engineAddress();
  if (address === undefined || typeof urn !== "string") return () => undefined;
  return (message, severity) => {
    client ??= new EngineClient(address, credentials.createInsecure());
    const request = new LogRequest();
    request.setUrn(urn);
    request.setMessage(message);
    request.setSeverity(severity === "warning" ? LogSeverity.WARNING : LogSeverity.INFO);
    client.log(request, () => undefined);
  };
}

/** How long what is under way may take to end, in milliseconds: after that the hosts undo it by themselves. */
const LAST_ACT = 4_000;

let watching = false;

/**
 * The engine ends us with SIGINT and waits five seconds. When it dies itself (kill -9), nobody tells us: but our input
 * ends. Then what is under way is finished or given up, what waits is refused, and we go.
 */
export function endWithEngine(hosts: Hosts): void {
  if (watching || engineAddress() === undefined) return;
  watching = true;
  const end = () => {
    setTimeout(() => process.exit(1), LAST_ACT).unref();
    void hosts.close().finally(() => process.exit());
  };
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  process.stdin.once("end", end).once("error", end).resume();
  process.stdin.unref();
}
