/** What a stack's state says of hosts. */
import { HostError } from "../provider/errors";
import { endpoint } from "../provider/host/connection";
import { hostName, parseId } from "../provider/resources/owner";
import { RESOURCES } from "../provider/resources/registry";
import { type Properties, UNKNOWN, isObject } from "../provider/wire";

export interface State {
  /** Whose it is, `project/stack`; a list of resources may be of several. */
  readonly stacks: readonly string[];
  readonly resources: readonly StateResource[];
}

export interface StateResource {
  /** On a host, `kind/project/stack/name`. */
  readonly name: string;
  /** `SynproxyRule web (acme/prod)` */
  readonly label: string;
  /** By which name and port its host is reached; undefined when that is secret or was not known yet. */
  readonly at: string | undefined;
  /** Its creation was begun, and the engine does not know how it ended. */
  readonly pending: boolean;
  /** It is to be deleted where it is. */
  readonly leaving: boolean;
}

/** What went wrong with the state, in the shape of all errors. */
export const stateError = (reason: string, remedy: string, cause?: unknown): HostError =>
  new HostError({ tried: "read the state", host: "this machine", reason, remedy }, cause);

const SHAPE = 'give it what "pulumi stack export" writes, or a JSON list of resources';

/** `pulumi stack export`, its `deployment` alone, the file of a backend, or a list of resources. */
export function parseState(text: string): State {
  const { resources, operations } = membersOf(json(text));
  const begun = operations.filter((o) => o.type === "creating").map((o) => o.resource);
  // What is updated or deleted stands among the resources as well; what is read or imported may not.
  const others = operations.filter((o) => o.type !== "creating").map((o) => o.resource);
  const known = [...resources, ...others].filter(isObject);
  const creating = begun.filter(isObject);
  return {
    stacks: [...new Set([...known, ...creating].map((r) => stackOfUrn(r.urn)))],
    resources: [...known.flatMap((r) => stateResource(r, false)), ...creating.flatMap((r) => stateResource(r, true))],
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own words would show a piece of the text, which may be a secret.
    throw stateError("it is not JSON", SHAPE);
  }
}

function membersOf(state: unknown): { resources: unknown[]; operations: Properties[] } {
  const deployment = deploymentOf(state);
  const list = Array.isArray(deployment) ? { resources: deployment as unknown[] } : deployment;
  if (!isObject(list) || !("resources" in list || "manifest" in list))
    throw stateError("it holds neither a deployment nor resources", SHAPE);
  const { resources = [], pending_operations: operations = [] } = list;
  if (!Array.isArray(resources) || !Array.isArray(operations)) throw stateError("its resources are not a list", SHAPE);
  return { resources, operations: operations.filter(isObject) };
}

/** Backends that keep files write `checkpoint.latest`. */
function deploymentOf(state: unknown): unknown {
  if (!isObject(state)) return state;
  return state.deployment ?? (isObject(state.checkpoint) ? state.checkpoint.latest : state);
}

/** `urn:pulumi:STACK::PROJECT::TYPE::NAME` */
function stackOfUrn(urn: unknown): string {
  const [, stack, project] = /^urn:pulumi:([^:]+)::([^:]+)::/.exec(typeof urn === "string" ? urn : "") ?? [];
  if (stack === undefined || project === undefined)
    throw stateError(`it has a resource without a URN`, `${SHAPE}; a list needs urn, type, id and inputs of each`);
  return `${project}/${stack}`;
}

function stateResource({ type, urn, id, inputs, delete: leaving }: Properties, pending: boolean): StateResource[] {
  const [, ours] = /^pulumi-nodejs:dynamic\/lbshield:(.+)$/.exec(String(type)) ?? [];
  if (ours === undefined) return [];
  const kind = RESOURCES.find((r) => r.type === ours)?.kind;
  if (kind === undefined)
    throw stateError(
      `it has a resource of the type ${ours}, which this version does not know: ${String(urn)}`,
      "install the version of pulumi-lbshield that the stack uses",
    );
  const { owner, connection } = isObject(inputs) ? inputs : {};
  if (typeof owner !== "string" || owner === UNKNOWN)
    throw stateError(`nothing says whose this resource is: ${String(urn)}`, `${SHAPE}, with the inputs of each`);
  const [project = "", stack = "", ...name] = owner.split("/");
  return [
    {
      name: hostName(kind, owner),
      label: `${ours} ${name.join("/")} (${project}/${stack})`,
      at: endpointOf(connection) ?? endpointOfId(id),
      pending,
      leaving: leaving === true,
    },
  ];
}

function endpointOf(connection: unknown): string | undefined {
  const { host, port = 22 } = isObject(connection) ? connection : {};
  return typeof host === "string" && host !== UNKNOWN && typeof port === "number"
    ? endpoint({ host, port })
    : undefined;
}

/** A whole connection may be secret; the id is not. */
const endpointOfId = (id: unknown): string | undefined => (typeof id === "string" ? parseId(id)?.via : undefined);
