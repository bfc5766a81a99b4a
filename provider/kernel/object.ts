/** What a resource compiles to: objects of the kernel, each the responsibility of one tool. */
import { type NftObject, nftId, nftText } from "./nftables/objects";
import { type Sysctl } from "./sysctl/sysctl";
import { type ToolObject, isToolObject, toolId, toolText } from "./tools";

export type KernelObject = NftObject | Sysctl | ToolObject;

/** A wanted object. Several resources may want a shared one; it goes when the last of them goes. */
export interface Wanted {
  readonly object: KernelObject;
  readonly shared: boolean;
}

export const own = (object: KernelObject): Wanted => ({ object, shared: false });
export const shared = (object: KernelObject): Wanted => ({ object, shared: true });

/** The values among wanted objects. */
export const sysctlsOf = (wanted: readonly Wanted[]): Sysctl[] =>
  wanted.map((w) => w.object).filter((o): o is Sysctl => o.kind === "sysctl");

/** The objects of the tools that know no transactions: rules, routes, IPVS, modules. */
export const toolsOf = (wanted: readonly Wanted[]): ToolObject[] =>
  wanted.map((w) => w.object).filter((o): o is ToolObject => isToolObject(o));

export const isNft = (o: KernelObject): o is NftObject => o.kind !== "sysctl" && !isToolObject(o);

export const objectId = (o: KernelObject): string =>
  o.kind === "sysctl" ? o.key : isToolObject(o) ? toolId(o) : nftId(o);
export const objectText = (o: KernelObject): string =>
  o.kind === "sysctl" ? o.value : isToolObject(o) ? toolText(o) : nftText(o);
