/** Check, diff, create, read, update, delete: the same for every resource and for every adapter. */
import { type Properties, UNKNOWN, containsUnknown, isObject, withoutUndefined } from "./wire";
import { type Declaration, type Lines, desiredLines } from "./engine/desired";
import { isGone, observedLines, restrictTo } from "./engine/observed";
import { SECRET_MEMBERS, connection, endpoint } from "./host/connection";
import { type Hosts } from "./hosts";
import { sysctlsOf } from "./kernel/object";
import { LAYOUTS } from "./resources/layout";
import { hostName } from "./resources/owner";
import { type ResourceType } from "./resources/resource";
import { validate } from "./validate";

export interface Checked {
  /** The canonical arguments with the host's lines, or what was given when there are problems. */
  readonly inputs: Properties;
  readonly problems: readonly string[];
}

export interface Created {
  readonly id: string;
  readonly outputs: Properties;
}

/** What a resource carries beside its own arguments. */
const META = ["connection", "owner", "redact", "nft", "sysctl", "__provider"] as const;

export class Lifecycle {
  constructor(
    private readonly type: ResourceType,
    private readonly hosts: Hosts,
  ) {}

  /**
   * Validates, brings values to their canonical form, and adds the lines that the host will have: so a preview shows
   * them. Reaches no host.
   */
  check(news: Properties): Checked {
    const { args, meta } = split(news);
    const isSecret = () => news.redact === true;
    const own = validate(this.type.model, args, { secret: isSecret });
    const where = meta.connection;
    const reach = validate(connection, where, {
      at: "connection",
      secret: (path) => SECRET_MEMBERS.some((member) => path.at(-1) === member),
    });
    const problems = [...own.problems, ...reach.problems];
    if (problems.length > 0) return { inputs: news, problems };
    const checked = { ...meta, ...own.value };
    if (containsUnknown(args) || containsUnknown(meta.owner))
      return { inputs: { ...checked, ...this.unknownLines() }, problems: [] };
    const declaration = this.declare(checked);
    const conflicts = endpointKnown(where) ? this.hosts.declarations.enter(at(where), declaration) : [];
    const inputs = withoutUndefined({ ...checked, ...linesOf(desiredLines(declaration)) });
    return conflicts.length > 0 ? { inputs: news, problems: conflicts } : { inputs, problems: [] };
  }

  /** Another host is another resource; everything else changes in place. */
  replaces(olds: Properties, news: Properties): string[] {
    const [old, now] = [olds.connection, news.connection];
    if (!isObject(old) || !endpointKnown(now)) return [];
    return at(old) === at(now) ? [] : ["connection"];
  }

  async create(inputs: Properties): Promise<Created> {
    const declaration = this.declare(inputs);
    await this.put(inputs, declaration);
    return { id: `${declaration.name}@${at(reachOf(inputs))}`, outputs: inputs };
  }

  async update(olds: Properties, news: Properties): Promise<Properties> {
    const was = this.nameOf(olds);
    await this.put(news, this.declare(news), was);
    return news;
  }

  async delete(olds: Properties): Promise<void> {
    const name = this.nameOf(olds);
    const where = reachOf(olds);
    await this.hosts.session(where).change({ remove: { name, label: this.labelOf(olds), via: at(where) } });
  }

  /** What the host has, as arguments and as lines; undefined when nothing of the resource is left there. */
  async read(olds: Properties): Promise<Properties | undefined> {
    const declaration = this.declare(olds);
    const keys = sysctlsOf(declaration.wanted).map((s) => s.key);
    const seen = await this.hosts.session(reachOf(olds)).read(keys);
    if (isGone(declaration.name, seen)) return undefined;
    const found = this.type.decompile(declaration.name, restrictTo(declaration, seen));
    const { args, meta } = split(olds);
    // A hand may have made what no arguments could: then the lines alone tell.
    const merged = { ...args, ...found };
    const shown = this.type.model.safeParse(merged).success ? merged : args;
    return withoutUndefined({ ...meta, ...shown, ...linesOf(observedLines(declaration, seen, LAYOUTS)) });
  }

  private async put(inputs: Properties, put: Declaration, was?: string): Promise<void> {
    const where = reachOf(inputs);
    await this.hosts.session(where).change({
      put,
      ...(was === undefined || was === put.name ? {} : { was }),
      mayTake: (owner, id) => !this.hosts.declarations.declares(at(where), owner, id),
    });
  }

  private declare(inputs: Properties): Declaration {
    const name = this.nameOf(inputs);
    const model = this.type.model.parse(split(inputs).args);
    const where = inputs.connection;
    const via = endpointKnown(where) ? { via: at(where) } : {};
    return { name, label: this.labelOf(inputs), ...via, ...this.type.compile(name, model) };
  }

  private nameOf(inputs: Properties): string {
    return hostName(this.type.kind, ownerOf(inputs));
  }

  /** `SynproxyRule web (acme/prod)` */
  private labelOf(inputs: Properties): string {
    const [project = "", stack = "", ...name] = ownerOf(inputs).split("/");
    return `${this.type.type} ${name.join("/")} (${project}/${stack})`;
  }

  private unknownLines(): Properties {
    return Object.fromEntries(this.type.lines.map((tool) => [tool, UNKNOWN]));
  }
}

function split(properties: Properties): { args: Properties; meta: Properties } {
  const isMeta = (key: string) => (META as readonly string[]).includes(key);
  const entries = Object.entries(properties);
  return {
    args: Object.fromEntries(entries.filter(([key]) => !isMeta(key))),
    meta: Object.fromEntries(entries.filter(([key]) => isMeta(key) && key !== "nft" && key !== "sysctl")),
  };
}

const endpointKnown = (where: unknown): where is Properties =>
  isObject(where) && !containsUnknown([where.host, where.port]);

const linesOf = ({ nft, sysctl }: Lines): Properties => ({ ...(nft ? { nft } : {}), ...(sysctl ? { sysctl } : {}) });

function reachOf(inputs: Properties): Properties {
  return isObject(inputs.connection) ? inputs.connection : {};
}

const ownerOf = (inputs: Properties): string => (typeof inputs.owner === "string" ? inputs.owner : "");

const at = (where: Properties): string =>
  endpoint({ host: String(where.host), port: where.port === undefined ? 22 : Number(where.port) });
