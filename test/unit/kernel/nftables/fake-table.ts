/**
 * A table that runs nft scripts, as strictly as the kernel where it matters here: what is added must not be there,
 * what is deleted must be and must not be in use, what is led to must exist. It knows no type of the product: objects
 * are texts by id.
 */
export class FakeTable {
  private there = false;
  private readonly chains = new Map<string, { hook: string | undefined; rules: string[] }>();
  private readonly sets = new Map<string, { kind: string; text: string; elements: Map<string, string> }>();
  private readonly others = new Map<string, string>();

  constructor(private readonly name: string) {}

  run(script: readonly string[]): void {
    for (const line of script)
      try {
        this.runLine(line);
      } catch (error) {
        throw new Error(`${line}\n  ${String(error)}`, { cause: error });
      }
  }

  /** Every object by id, as text. */
  objects(): Map<string, string> {
    const sets = [...this.sets].flatMap(([name, { kind, text, elements }]): [string, string][] => [
      [`${kind} ${name}`, text],
      ...[...elements].map(([key, value]): [string, string] => [`element ${name} { ${key} }`, value]),
    ]);
    const chains = [...this.chains].map(([name, { hook, rules }]): [string, string] => [
      `chain ${name}`,
      [...(hook === undefined ? [] : [hook]), ...rules].join("; "),
    ]);
    return new Map([...sets, ...chains, ...this.others]);
  }

  private runLine(line: string): void {
    const [verb = "", kind = "", rest = ""] = this.split(line);
    if (kind === "table") this.table(verb);
    else if (!this.there) throw new Error("no such table");
    else if (kind === "chain") this.chain(verb, rest);
    else if (kind === "rule") this.rule(verb, rest);
    else if (kind === "element") this.element(verb, rest);
    else if (kind === "set" || kind === "map") this.set(verb, kind, rest);
    else this.other(verb, kind, rest);
  }

  /** `add`, `ct helper` and the rest of `add ct helper inet lbshield REST`. */
  private split(line: string): string[] {
    const at = line.indexOf(` ${this.name}`);
    if (at < 0) throw new Error("another table");
    const [verb = "", ...kind] = line.slice(0, at).split(" ");
    return [verb, kind.join(" "), line.slice(at + this.name.length + 2)];
  }

  private table(verb: string): void {
    if (verb === "add") this.there = true;
    else if (verb !== "delete" || !this.there) throw new Error("cannot do that to a table");
    else {
      this.there = false;
      for (const objects of [this.chains, this.sets, this.others]) objects.clear();
    }
  }

  private chain(verb: string, rest: string): void {
    const [name, body] = bodyOf(rest);
    const found = this.chains.get(name);
    if ((verb === "add") === (found !== undefined))
      throw new Error(`chain ${name}: ${found ? "exists" : "is missing"}`);
    if (verb === "add") this.chains.set(name, { hook: body, rules: [] });
    else if (verb === "flush") found?.rules.splice(0);
    else if (verb === "delete" && !this.leads(`(?:jump|goto) ${name}`)) this.chains.delete(name);
    else throw new Error("in use, or not a word for chains");
  }

  private rule(verb: string, rest: string): void {
    const [name = ""] = rest.split(" ");
    const rule = rest.slice(name.length + 1);
    const chain = this.chains.get(name);
    if (verb !== "add" || !chain) throw new Error("no such chain");
    this.mustLead(rule);
    for (const [, set = ""] of rule.matchAll(/@(\S+)/g)) if (!this.sets.has(set)) throw new Error(`no such set ${set}`);
    chain.rules.push(rule);
  }

  private element(verb: string, rest: string): void {
    const [name, body = ""] = bodyOf(rest);
    const [key = "", value = ""] = body.split(" : ");
    const elements = this.sets.get(name)?.elements;
    if (!elements) throw new Error(`no such set ${name}`);
    if ((verb === "add") === elements.has(key)) throw new Error(`element ${key}: exists, or is missing`);
    this.mustLead(value);
    if (verb === "add") elements.set(key, value);
    else if (verb === "delete") elements.delete(key);
    else throw new Error("not a word for elements");
  }

  private set(verb: string, kind: string, rest: string): void {
    const [name, body = ""] = bodyOf(rest);
    const found = this.sets.get(name);
    if (verb === "add" && !found) this.sets.set(name, { kind, text: body, elements: new Map() });
    else if (verb === "delete" && found?.kind === kind && !this.leads(`@${name}`)) this.sets.delete(name);
    else throw new Error("exists, is missing, or is in use");
  }

  private other(verb: string, kind: string, rest: string): void {
    const [name, body = ""] = bodyOf(rest);
    const id = `${kind} ${name}`;
    if ((verb === "add") === this.others.has(id)) throw new Error(`${id}: exists, or is missing`);
    if (verb === "add") this.others.set(id, body);
    else if (verb === "delete") this.others.delete(id);
    else throw new Error(`not a word for ${kind}`);
  }

  private mustLead(text: string): void {
    const chain = /(?:jump|goto) (\S+)/.exec(text)?.[1];
    if (chain !== undefined && !this.chains.has(chain)) throw new Error(`no such chain ${chain}`);
  }

  /** Does any rule or element lead there? */
  private leads(pattern: string): boolean {
    const used = new RegExp(`${pattern}(?: |$)`);
    const rules = [...this.chains.values()].flatMap((c) => c.rules);
    return [...rules, ...[...this.sets.values()].flatMap((s) => [...s.elements.values()])].some((t) => used.test(t));
  }
}

/** The name and what stands in braces, without the final semicolon: `m` and `type x; flags y` of `m { type x ; flags y ; }`. */
function bodyOf(rest: string): [string, string | undefined] {
  const [, name = "", body] = /^(\S+)(?: \{ (.*?) ;? ?\})?$/.exec(rest) ?? [];
  return [name, body?.replace(/ ;/g, ";")];
}
