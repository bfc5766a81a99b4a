/** What the resources of one run declare, by host: what cannot both be is found at preview, without a host. */
import { type Element } from "../kernel/nftables/objects";
import { type Wanted, objectId, shared, sysctlsOf } from "../kernel/object";
import { type Sysctl } from "../kernel/sysctl/sysctl";
import { type Declaration, type Part } from "./desired";
import { KeyIndex } from "./keys";
import { Conflict, agree, printKey } from "./plan";

export class Declarations {
  private readonly hosts = new Map<string, Site>();

  /**
   * Enters a declaration and says what it is in conflict with, and what of it with what else of it. Of one that is
   * `secret` no key and no value is shown.
   */
  enter(host: string, declaration: Declaration, secret = false): string[] {
    const site = this.hosts.get(host) ?? new Site();
    this.hosts.set(host, site);
    return site.enter(declaration, secret);
  }

  /** Does the program that runs declare that this owner has this object? */
  declares(host: string, owner: string, id: string): boolean {
    return this.hosts.get(host)?.declares(owner, id) ?? false;
  }
}

/** Somebody who wants objects: a declaration, or one part of it. */
interface Claimant {
  readonly owner: string;
  readonly label: string;
  /** The part. */
  readonly at: string | undefined;
  readonly secret: boolean;
}

/** A value, and the first part of each owner that claims it just so. */
interface Claim {
  readonly value: Sysctl;
  readonly by: Map<string, Claimant>;
}

/** What is declared for one host. Each object is looked up, not compared with all others. */
class Site {
  private readonly declared = new Map<string, Declared>();
  private readonly keys = new KeyIndex<Claimant>();
  /** By key, then by what is claimed. */
  private readonly values = new Map<string, Map<string, Claim>>();
  /** Of what a host has one, by name and value: the first part of each owner that needs it just so. */
  private readonly settings = new Map<string, Map<string, Map<string, Claimant>>>();

  enter({ name: owner, label, needs, wanted, parts }: Declaration, secret: boolean): string[] {
    this.leave(owner);
    const claims = (parts ?? [{ at: undefined, needs, wanted }]).map((part) =>
      claimsOf({ owner, label, at: part.at, secret }, part),
    );
    this.declared.set(owner, { claims, wanted, ids: undefined });
    return claims.flatMap((part) =>
      [...this.enterKeys(part), ...this.enterValues(part), ...this.enterSettings(part)].map((problem) =>
        at(part.who, problem),
      ),
    );
  }

  declares(owner: string, id: string): boolean {
    const declared = this.declared.get(owner);
    if (declared === undefined) return false;
    declared.ids ??= new Set(declared.wanted.map((w) => objectId(w.object)));
    return declared.ids.has(id);
  }

  private leave(owner: string): void {
    for (const { who, elements, values, settings } of this.declared.get(owner)?.claims ?? []) {
      for (const e of elements) this.keys.leave(e.of, e.key, who);
      for (const { key } of values) for (const claim of this.values.get(key)?.values() ?? []) claim.by.delete(owner);
      for (const [name] of settings) for (const by of this.settings.get(name)?.values() ?? []) by.delete(owner);
    }
  }

  /** Each other that has one of the keys, or one that overlaps, is named once. */
  private enterKeys({ who, elements }: Claims): string[] {
    const named = new Set<Claimant>([who]);
    return elements.flatMap((e) =>
      this.keys
        .enter(e.of, e.key, who)
        .filter((other) => !named.has(other) && named.add(other))
        .map((other) => `${who.secret ? "[secret]" : printKey(e.key)} is declared by ${nameOf(other, who)} as well`),
    );
  }

  private enterValues({ who, values }: Claims): string[] {
    return values.flatMap((value) => {
      const claims = this.values.get(value.key) ?? new Map<string, Claim>();
      this.values.set(value.key, claims);
      const text = [value.value, ...(value.accepts ?? [])].join(" ");
      const mine = claims.get(text) ?? { value, by: new Map<string, Claimant>() };
      claims.set(text, mine);
      // Another part of the same wants just this: what there is to say of it has been said.
      if (mine.by.has(who.owner)) return [];
      mine.by.set(who.owner, who);
      return [...claims.values()].flatMap((claim) => disagreement(who, value, claim));
    });
  }

  private enterSettings({ who, settings }: Claims): string[] {
    return settings.flatMap(([name, value]) => {
      const claims = this.settings.get(name) ?? new Map<string, Map<string, Claimant>>();
      this.settings.set(name, claims);
      const mine = claims.get(value) ?? new Map<string, Claimant>();
      claims.set(value, mine);
      if (mine.has(who.owner)) return [];
      mine.set(who.owner, who);
      return [...claims].flatMap(([text, by]) => {
        const [other] = text === value ? [] : by.values();
        if (other === undefined) return [];
        const [wanted, theirs] = who.secret || other.secret ? ["[secret]", "[secret]"] : [value, text];
        return [`${name} ${wanted} is wanted, but ${nameOf(other, who)} wants ${theirs}`];
      });
    });
  }
}

interface Declared {
  readonly claims: readonly Claims[];
  readonly wanted: readonly Wanted[];
  /** Of all that it wants, made when it is first asked for. */
  ids: ReadonlySet<string> | undefined;
}

interface Claims {
  readonly who: Claimant;
  /** Its own: those that it shares collide with nobody's. */
  readonly elements: readonly Element[];
  readonly values: readonly Sysctl[];
  /** Needs that are written `NAME=VALUE`. */
  readonly settings: readonly (readonly [name: string, value: string])[];
}

const claimsOf = (who: Claimant, { needs = [], wanted }: Pick<Part, "needs" | "wanted">): Claims => ({
  who,
  elements: wanted.flatMap(({ object, shared }: Wanted) => (object.kind === "element" && !shared ? [object] : [])),
  values: sysctlsOf(wanted),
  settings: needs.flatMap((need) => {
    const [name = "", value] = need.split("=");
    return value === undefined ? [] : [[name, value] as const];
  }),
});

function disagreement(who: Claimant, value: Sysctl, claim: Claim): string[] {
  // Of many that claim it just so, the first is named.
  const [first, second] = claim.by.values();
  const other = first === who ? second : first;
  if (other === undefined) return [];
  try {
    agree(value, [{ label: nameOf(other, who), wanted: shared(claim.value) }]);
    return [];
  } catch (error) {
    if (error instanceof Conflict && (who.secret || other.secret))
      return [`${value.key} should be [secret], but ${nameOf(other, who)} wants it to be [secret]`];
    if (error instanceof Conflict) return [error.message];
    throw error;
  }
}

/** `synproxyRules.web of LoadBalancer lb1 (acme/prod)`, or the part alone to another part of the same. */
function nameOf({ owner, label, at: part }: Claimant, to: Claimant): string {
  if (part === undefined) return label;
  return owner === to.owner ? part : `${part} of ${label}`;
}

const at = ({ at: part }: Claimant, problem: string): string => (part === undefined ? problem : `${part}: ${problem}`);
