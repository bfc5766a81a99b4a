/** The tools that know no transactions: each lists its objects, and changes one with each command. */
import { IPVS_LOOK, parseIpvs } from "./ipvs/listing";
import { type IpvsObject, ipvsEqual, ipvsId, ipvsText } from "./ipvs/objects";
import { ipvsRemedy } from "./ipvs/remedy";
import { ipvsSteps } from "./ipvs/steps";
import {
  type Module,
  moduleId,
  moduleLook,
  moduleRemedy,
  moduleSteps,
  moduleText,
  parseModules,
} from "./module/module";
import { parseRoutes, routeLook } from "./route/listing";
import { type RouteObject, routeEqual, routeId, routeText } from "./route/objects";
import { routeRemedy } from "./route/remedy";
import { routeSteps } from "./route/steps";
import { type Step } from "./step";

/** Objects of all tools: modules, IPVS, policy rules and routes. */
export type ToolObject = Module | IpvsObject | RouteObject;

export type ToolObjects = ReadonlyMap<string, ToolObject>;

interface Tool<O extends ToolObject = ToolObject> {
  /** Its name on the host. */
  readonly name: string;
  readonly kinds: readonly O["kind"][];
  id(o: O): string;
  /** The content in the tool's own words. */
  text(o: O): string;
  /** Does what is there (the second) do as what is wanted? */
  equal(wanted: O | undefined, found: O | undefined): boolean;
  /** A shell fragment that lists what these objects might meet on the host. */
  look(objects: readonly O[]): string;
  parse(listing: string): O[];
  /** The commands that lead from one state to the other; both hold what may be changed, and nothing else. */
  steps(from: ReadonlyMap<string, O>, to: ReadonlyMap<string, O>): Step[];
  /** What somebody can do about an error, if that is known. */
  remedy(said: string): string | undefined;
}

const MODPROBE: Tool<Module> = {
  name: "modprobe",
  kinds: ["module"],
  id: moduleId,
  text: moduleText,
  equal: (a, b) => a?.name === b?.name,
  look: moduleLook,
  parse: parseModules,
  steps: moduleSteps,
  remedy: moduleRemedy,
};

const IPVSADM: Tool<IpvsObject> = {
  name: "ipvsadm",
  kinds: ["ipvs-service", "ipvs-server", "ipvs-timeouts", "ipvs-daemon"],
  id: ipvsId,
  text: ipvsText,
  equal: ipvsEqual,
  look: () => IPVS_LOOK,
  parse: parseIpvs,
  steps: ipvsSteps,
  remedy: ipvsRemedy,
};

const IP: Tool<RouteObject> = {
  name: "ip",
  kinds: ["ip-rule", "route"],
  id: routeId,
  text: routeText,
  equal: routeEqual,
  look: routeLook,
  parse: parseRoutes,
  steps: routeSteps,
  remedy: routeRemedy,
};

/** In the order in which they come into use. */
export const TOOLS = [MODPROBE, IPVSADM, IP] as unknown as readonly Tool[];

const toolOf = (o: { readonly kind: string }): Tool | undefined =>
  TOOLS.find((tool) => (tool.kinds as readonly string[]).includes(o.kind));

export const isToolObject = (o: { readonly kind: string }): o is ToolObject => toolOf(o) !== undefined;

export const toolId = (o: ToolObject): string => toolOf(o)?.id(o) ?? "";
export const toolName = (o: ToolObject): string => toolOf(o)?.name ?? "";
export const toolText = (o: ToolObject): string => toolOf(o)?.text(o) ?? "";

export function toolEqual(wanted: ToolObject | undefined, found: ToolObject | undefined): boolean {
  const one = wanted ?? found;
  return one === undefined || (toolOf(one)?.equal(wanted, found) ?? false);
}

/** What every host has that has IPVS: it is set, and set back to what it was, but neither made nor removed. */
export const isSetting = (o: ToolObject): boolean => o.kind === "ipvs-timeouts";

/** What is there for good: a module that was loaded stays, since others may stand on it by now. */
export const stays = (o: ToolObject): boolean => o.kind === "module";

/** The objects of a tool among others. */
export function ofTool(tool: Tool, objects: Iterable<ToolObject>): Map<string, ToolObject> {
  return new Map([...objects].filter((o) => toolOf(o) === tool).map((o) => [tool.id(o), o]));
}
