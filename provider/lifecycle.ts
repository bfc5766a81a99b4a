/** Check, diff, create, read, update, delete: the same for every resource and for every adapter. */
import { randomBytes } from "node:crypto";

import { type Properties, UNKNOWN, containsUnknown, isObject, withoutUndefined } from "./wire";
import { CARE_MEMBERS, care } from "./care";
import { Declarations } from "./engine/declarations";
import { type Declaration, LINE_TOOLS, type Lines, desiredLines } from "./engine/desired";
import { isGone, observedLines, restrictTo } from "./engine/observed";
import { printKey } from "./engine/plan";
import { type Drain, canDrain, count, drained } from "./drain";
import { HostError } from "./errors";
import { connection, endpoint, isSecretMember } from "./host/connection";
import { type Hosts } from "./hosts";
import { type Wanted, objectId } from "./kernel/object";
import { LAYOUT } from "./resources/layout";
import { hostName, ownPrefix, parseId, printId } from "./resources/owner";
import { type ResourceType, asFound } from "./resources/resource";
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
const META = ["connection", "owner", "resourceUrn", "redact", ...CARE_MEMBERS, ...LINE_TOOLS, "__provider"] as const;

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
      secret: isSecretMember,
    });
    const given = Object.fromEntries(CARE_MEMBERS.flatMap((key) => (meta[key] == null ? [] : [[key, meta[key]]])));
    const careful = validate(care, given, { secret: () => false });
    const configured = validate(care, this.hosts.configuredCare(), {
      at: "configuration lbshield",
      secret: () => false,
    });
    const problems = [...own.problems, ...reach.problems, ...careful.problems, ...configured.problems];
    if (problems.length > 0) return { inputs: news, problems };
    const checked = { ...meta, ...careful.value, ...own.value };
    if (containsUnknown(args) || containsUnknown(meta.owner))
      return { inputs: { ...checked, ...this.unknownLines() }, problems: [] };
    const declaration = this.declare(checked, own.value);
    // Of a host that is not known yet nothing else is known either; but parts of one resource can collide as well.
    const conflicts = endpointKnown(where)
      ? this.hosts.declarations.enter(at(where), declaration, isSecret())
      : new Declarations().enter("", declaration, isSecret());
    const inputs = withoutUndefined({ ...checked, ...this.lines(desiredLines(declaration)) });
    return conflicts.length > 0 ? { inputs: news, problems: conflicts } : { inputs, problems: [] };
  }

  /** Another host is another resource; everything else changes in place. */
  replaces(olds: Properties, news: Properties): string[] {
    const [old, now] = [olds.connection, news.connection];
    if (!isObject(old) || !endpointKnown(now)) return [];
    return at(old) === at(now) ? [] : ["connection"];
  }

  async create(inputs: Properties): Promise<Created> {
    const creation = randomBytes(4).toString("hex");
    const declaration = { ...this.declare(inputs), creation };
    await this.put(inputs, declaration);
    return { id: printId({ name: declaration.name, via: at(reachOf(inputs)), creation }), outputs: inputs };
  }

  async update(id: string, olds: Properties, news: Properties): Promise<Properties> {
    const was = this.nameOf(olds);
    const declaration = { ...this.declare(news), ...creationOf(id) };
    const drain = this.drainOf(olds, split(news).args);
    if (drain) await this.wait(news, { ...declaration, ...drain.stays }, drain, (put) => this.put(news, put, was));
    await this.put(news, declaration, was);
    return news;
  }

  async delete(id: string, olds: Properties): Promise<void> {
    const name = this.nameOf(olds);
    const where = reachOf(olds);
    const remove = { name, label: this.labelOf(olds), via: at(where), ...creationOf(id) };
    const drain = this.drainOf(olds, undefined);
    if (drain)
      await this.wait(olds, { ...remove, ...drain.stays }, drain, async (put) => {
        await this.hosts.session(where).change({ put, leaving: true }, this.hosts.how(olds));
      });
    await this.hosts.session(where).change({ remove }, this.hosts.how(olds));
  }

  /** What the host has, as arguments and as lines; undefined when nothing of the resource is left there. */
  async read(olds: Properties): Promise<Properties | undefined> {
    const { args, meta } = split(olds);
    const model = this.type.model.parse(args);
    const declaration = this.declare(olds, model);
    const seen = await this.hosts.session(reachOf(olds)).read(declaration.wanted);
    if (isGone(declaration.name, seen, LAYOUT)) return undefined;
    const found = this.type.decompile(ownPrefix(declaration.name), restrictTo(declaration, seen, LAYOUT), model);
    const shown = asFound(this.type, args, found);
    return withoutUndefined({ ...meta, ...shown, ...this.lines(observedLines(declaration, seen, LAYOUT)) });
  }

  private drainOf(olds: Properties, next: Properties | undefined): Drain | undefined {
    // What cannot be read any more, of an earlier release for one, goes at once.
    const was = this.type.model.safeParse(split(olds).args);
    if (!was.success) return undefined;
    const to = next === undefined ? undefined : this.type.model.parse(next);
    return this.type.drain?.(ownPrefix(this.nameOf(olds)), was.data, to);
  }

  /** No new connections, then none at all. */
  private async wait(
    inputs: Properties,
    stays: Declaration,
    drain: Drain,
    leave: (stays: Declaration) => Promise<void>,
  ): Promise<void> {
    const where = reachOf(inputs);
    const session = this.hosts.session(where);
    const { tell = () => undefined } = this.hosts.how(inputs);
    const what = { tried: "drain", resource: stays.label, host: at(where) };
    await canDrain(session, what);
    await leave(stays);
    const left = await drained(session, drain, what, tell);
    if (left > 0)
      tell(`${count(left)} still open after ${drain.within.toString()} s: they are not waited for`, "warning");
  }

  private async put(inputs: Properties, put: Declaration, was?: string): Promise<void> {
    const where = reachOf(inputs);
    const change = {
      put,
      ...(was === undefined || was === put.name ? {} : { was }),
      mayTake: (owner: string, id: string) => !this.hosts.declarations.declares(at(where), owner, id),
    };
    await this.hosts
      .session(where)
      .change(change, this.hosts.how(inputs))
      .catch((error: unknown) => {
        throw namingPart(error, put);
      });
  }

  private declare(inputs: Properties, model = this.type.model.parse(split(inputs).args)): Declaration {
    const name = this.nameOf(inputs);
    const where = inputs.connection;
    const via = endpointKnown(where) ? { via: at(where) } : {};
    return { name, label: this.labelOf(inputs), ...via, ...this.type.compile(ownPrefix(name), model) };
  }

  private nameOf(inputs: Properties): string {
    return hostName(this.type.kind, ownerOf(inputs));
  }

  /** `SynproxyRule web (acme/prod)` */
  private labelOf(inputs: Properties): string {
    const [project = "", stack = "", ...name] = ownerOf(inputs).split("/");
    return `${this.type.type} ${name.join("/")} (${project}/${stack})`;
  }

  /** Of each tool that it may use, even when it has no lines of it: an output of the class is always there. */
  private lines(lines: Lines): Properties {
    return Object.fromEntries(this.type.lines.map((tool) => [tool, lines[tool] ?? {}]));
  }

  private unknownLines(): Properties {
    return Object.fromEntries(this.type.lines.map((tool) => [tool, UNKNOWN]));
  }
}

function split(properties: Properties): { args: Properties; meta: Properties } {
  const isMeta = (key: string) => META.some((one) => one === key);
  const isLines = (key: string) => LINE_TOOLS.some((tool) => tool === key);
  const entries = Object.entries(properties);
  return {
    args: Object.fromEntries(entries.filter(([key]) => !isMeta(key))),
    meta: Object.fromEntries(entries.filter(([key]) => isMeta(key) && !isLines(key))),
  };
}

function creationOf(id: string): { creation?: string } {
  const creation = parseId(id)?.creation;
  return creation === undefined ? {} : { creation };
}

const endpointKnown = (where: unknown): where is Properties =>
  isObject(where) && !containsUnknown([where.host, where.port]);

/** The engine names the object that is at fault; the first part that wants it is put before that. */
function namingPart(error: unknown, { parts = [] }: Declaration): unknown {
  if (!(error instanceof HostError)) return error;
  const { reason } = error.problem;
  const isNamed = ({ object }: Wanted): boolean =>
    [objectId(object), ...(object.kind === "element" ? [printKey(object.key)] : [])].some(
      (name) => reason.startsWith(`${name} `) || reason.startsWith(`${name}: `),
    );
  const part = parts.find(({ wanted }) => wanted.some(isNamed));
  return part === undefined ? error : new HostError({ ...error.problem, reason: `${part.at}: ${reason}` }, error.cause);
}

function reachOf(inputs: Properties): Properties {
  return isObject(inputs.connection) ? inputs.connection : {};
}

const ownerOf = (inputs: Properties): string => (typeof inputs.owner === "string" ? inputs.owner : "");

const at = (where: Properties): string =>
  endpoint({ host: String(where.host), port: where.port === undefined ? 22 : Number(where.port) });
