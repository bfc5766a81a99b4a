/** What the resources of one run declare, by host: two that cannot both be are found at preview, without a host. */
import { type Element } from "../kernel/nftables/objects";
import { objectId } from "../kernel/object";
import { type Declaration } from "./desired";
import { keysOverlap } from "./overlap";
import { Conflict, agree, printKey } from "./plan";

export class Declarations {
  private readonly hosts = new Map<string, Map<string, Declaration>>();

  /** Enters a declaration and says what it is in conflict with. */
  enter(host: string, declaration: Declaration): string[] {
    const others = this.hosts.get(host) ?? new Map<string, Declaration>();
    this.hosts.set(host, others);
    others.set(declaration.name, declaration);
    return [...others.values()].filter((o) => o.name !== declaration.name).flatMap((o) => conflicts(declaration, o));
  }

  /** Does the program that runs declare that this owner has this object? */
  declares(host: string, owner: string, id: string): boolean {
    const declaration = this.hosts.get(host)?.get(owner);
    return declaration?.wanted.some((w) => objectId(w.object) === id) ?? false;
  }
}

function conflicts(a: Declaration, b: Declaration): string[] {
  const taken = elements(a).find((e) => elements(b).some((f) => e.of === f.of && keysOverlap(e.key, f.key)));
  const claims = b.wanted.filter((w) => w.shared).map((wanted) => ({ label: b.label, wanted }));
  const values = a.wanted.flatMap(({ object }) => {
    try {
      if (object.kind === "sysctl") agree(object, claims);
      return [];
    } catch (error) {
      if (error instanceof Conflict) return [error.message];
      throw error;
    }
  });
  return [...(taken ? [`${printKey(taken.key)} is declared by ${b.label} as well`] : []), ...values];
}

const elements = (d: Declaration): Element[] =>
  d.wanted.flatMap(({ object, shared }) => (object.kind === "element" && !shared ? [object] : []));
