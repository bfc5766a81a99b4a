/** Check, diff, create, read, update, delete: the same for every resource and for every adapter. */
import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import { type Properties, UNKNOWN, containsUnknown, isObject, withoutUndefined } from "./wire";
import { CARE_MEMBERS, care } from "./care";
import { Declarations } from "./engine/declarations";
import { type Declaration, LINE_TOOLS, type Lines, desiredLines } from "./engine/desired";
import { isGone, observedLines, restrictTo } from "./engine/observed";
import { printKey } from "./engine/plan";
import { type Drain, canDrain, count, drained } from "./drain";
import { HostError, messageOf } from "./errors";
import { connection, endpoint, isSecretMember } from "./host/connection";
import { type Hosts } from "./hosts";
import { type Heard, type Inquiry, type Question, answer, compare, inquiryOf, nameOf } from "./learn";
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

/** What is on the host; and the same as inputs, which do not name what only servers know. */
export interface Read {
  readonly outputs: Properties;
  readonly inputs: Properties;
}

/** What a resource carries beside its own arguments. */
const META = [
  "connection",
  "owner",
  "resourceUrn",
  "redact",
  ...CARE_MEMBERS,
  ...LINE_TOOLS,
  "learned",
  "__provider",
] as const;

type Compare = Parameters<Parameters<Inquiry["compared"]>[0]>[0];

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
    return this.inquiry(inputs).compared(async (compare) => {
      const creation = randomBytes(4).toString("hex");
      const { model, learned } = await this.learn(inputs, undefined, compare);
      const declaration = { ...this.declare(inputs, model), creation };
      await this.put(inputs, declaration);
      const id = printId({ name: declaration.name, via: at(reachOf(inputs)), creation });
      return { id, outputs: this.outputs(inputs, declaration, learned) };
    });
  }

  async update(id: string, olds: Properties, news: Properties): Promise<Properties> {
    return this.inquiry(news).compared(async (compare) => {
      const was = this.nameOf(olds);
      const { model, learned } = await this.learn(news, olds, compare);
      const declaration = { ...this.declare(news, model), ...creationOf(id) };
      const drain = this.drainOf(olds, model);
      if (drain) await this.wait(news, { ...declaration, ...drain.stays }, drain, (put) => this.put(news, put, was));
      await this.put(news, declaration, was);
      return this.outputs(news, declaration, learned);
    });
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
  async read(olds: Properties): Promise<Read | undefined> {
    const { args, meta } = split(olds);
    const asked: object = this.type.model.parse(args);
    const model = this.taught(asked, olds.learned);
    const declaration = this.declare(olds, model);
    const [seen, changed] = await Promise.all([
      this.hosts.session(reachOf(olds)).read(declaration.wanted),
      this.changedServers(olds, asked),
    ]);
    if (isGone(declaration.name, seen, LAYOUT)) return undefined;
    const found = this.type.decompile(ownPrefix(declaration.name), restrictTo(declaration, seen, LAYOUT), model);
    const lines = this.lines(observedLines(declaration, seen, LAYOUT));
    const { learned, ...own } = meta;
    if (model === asked) {
      const outputs = withoutUndefined({ ...own, ...asFound(this.type, args, found), ...lines });
      return { outputs: learned === undefined ? outputs : { ...outputs, learned }, inputs: outputs };
    }
    const shown = asFound(this.type, model, found);
    const [waiting, applied] = [asked, model].map((some) => this.lines(desiredLines(this.declare(olds, some))));
    const isLearned = (tool: string, key: string) => lineOf(waiting, tool, key) !== lineOf(applied, tool, key);
    for (const { path, text } of changed) {
      const part = declaration.parts?.find((one) => one.at === path.join(".")) ?? declaration;
      const within = new Set(part.wanted.map(({ object }) => objectId(object)));
      mapLines(lines, (tool, key, line) => (within.has(key) && isLearned(tool, key) ? `${line}; ${text}` : line));
    }
    const inputs = { ...own, ...(asDeclared(shown, model, asked) as object) };
    const outputs = withoutUndefined({ ...inputs, ...lines, learned });
    const asGiven = { ...lines };
    mapLines(asGiven, (tool, key, line) =>
      isLearned(tool, key) && line === lineOf(applied, tool, key) ? (lineOf(waiting, tool, key) ?? line) : line,
    );
    return { outputs, inputs: withoutUndefined({ ...inputs, ...asGiven }) };
  }

  private inquiry(inputs: Properties): Inquiry {
    return inquiryOf(this.hosts.session(reachOf(inputs)));
  }

  private taught(model: object, learned: unknown): object {
    return learned === undefined ? model : (this.type.taught?.(model, learned) ?? model);
  }

  private outputs(inputs: Properties, declaration: Declaration, learned: unknown): Properties {
    return learned === undefined ? inputs : { ...inputs, ...this.lines(desiredLines(declaration)), learned };
  }

  /**
   * Asks servers for what is to be learned, before anything changes. Of one that is silent, what was learned before stands.
   * What is declared, and was not before, is compared.
   */
  private async learn(
    inputs: Properties,
    olds: Properties | undefined,
    later: Compare,
  ): Promise<{ model: object; learned?: unknown }> {
    const model = this.type.model.parse(split(inputs).args);
    const questions = this.type.asks?.(model) ?? [];
    const before = olds === undefined ? [] : this.questionsOf(olds);
    const [same, known] = [new Set(before.map(identity)), new Set(before.map(whom))];
    const { tell = () => undefined } = this.hosts.how(inputs);
    const hide = hiding(inputs, questions);
    const warn =
      ({ path }: Question) =>
      (problem: string) => {
        tell(hide([...path, problem].join(".")), "warning");
      };
    const declared = questions.filter((q) => !q.learns && !same.has(identity(q)));
    const open = questions.filter((q) => q.learns);
    if (open.length === 0) {
      for (const question of declared) later(question, warn(question));
      return { model };
    }
    const what = { tried: "learn TCP options", resource: this.labelOf(inputs), host: at(reachOf(inputs)) };
    const heard = await this.ask(inputs, [...open, ...declared]).catch((error: unknown) => {
      throw error instanceof HostError ? error : new HostError({ ...what, reason: messageOf(error), ...NOT_LEARNED });
    });
    for (const question of declared) compare(question, heard).forEach(warn(question));
    let learned: unknown;
    const silent: string[] = [];
    for (const question of open) {
      const told = answer(question, heard);
      const last = known.has(whom(question)) ? valueAt(olds?.learned, question.path) : undefined;
      learned = placed(question.path, typeof told === "string" ? last : told, learned);
      if (typeof told !== "string") continue;
      const named = hide(toldOf(question, told));
      if (last === undefined) silent.push(named);
      else tell(`${named}: what was learned before stands`, "warning");
    }
    if (silent.length > 0) throw new HostError({ ...what, reason: silent.join("\n"), ...NOT_LEARNED });
    return { model: this.taught(model, learned), learned };
  }

  /** Which of them now announce something else than was learned. */
  private async changedServers(olds: Properties, model: object): Promise<{ path: readonly string[]; text: string }[]> {
    const open = (this.type.asks?.(model) ?? []).filter((q) => q.learns && isObject(valueAt(olds.learned, q.path)));
    if (open.length === 0) return [];
    const { tell = () => undefined } = this.hosts.how(olds);
    const hide = hiding(olds, open);
    const heard = await this.ask(olds, open).catch((error: unknown) => messageOf(error));
    return open.flatMap((question) => {
      const told = typeof heard === "string" ? heard : answer(question, heard);
      if (typeof told === "string") {
        tell(hide(`${toldOf(question, told)}: what was learned stands`), "warning");
        return [];
      }
      const now = question.means(told);
      if (now === question.means(valueAt(olds.learned, question.path) as typeof told)) return [];
      return [{ path: question.path, text: `but ${question.servers.map(nameOf).join(", ")} now announces ${now}` }];
    });
  }

  private ask(inputs: Properties, questions: readonly Question[]): Promise<Heard> {
    return this.inquiry(inputs).ask(questions.flatMap(({ servers }) => servers));
  }

  private questionsOf(properties: Properties): readonly Question[] {
    const model = this.type.model.safeParse(split(properties).args);
    return model.success ? (this.type.asks?.(model.data) ?? []) : [];
  }

  private drainOf(olds: Properties, next: object | undefined): Drain | undefined {
    // What cannot be read any more, of an earlier release for one, goes at once.
    const parsed = this.type.model.safeParse(split(olds).args);
    const was = parsed.success ? this.taught(parsed.data, olds.learned) : undefined;
    if (was === undefined || (this.type.asks?.(was) ?? []).some(({ learns }) => learns)) return undefined;
    return this.type.drain?.(ownPrefix(this.nameOf(olds)), was, next);
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

  private declare(inputs: Properties, model: object = this.type.model.parse(split(inputs).args)): Declaration {
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

const NOT_LEARNED = {
  outcome: "nothing was changed",
  remedy: 'see that the server runs and that the balancer may connect to it; or say the options instead of "learn"',
};

/** A question that is the same as one before. */
const identity = (question: Question): string => JSON.stringify(question);

/** The same part asks the same servers. */
const whom = ({ path, servers }: Question): string => JSON.stringify([path, servers]);

const toldOf = ({ path }: Question, text: string): string => (path.length > 0 ? `${path.join(".")}: ${text}` : text);

/** Servers' addresses are no secret but where the arguments are. */
const hiding =
  ({ redact }: Properties, questions: readonly Question[]) =>
  (text: string): string =>
    redact === true
      ? questions.flatMap((q) => q.servers.map(nameOf)).reduce((left, name) => left.replaceAll(name, "[secret]"), text)
      : text;

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((v, key) => (isObject(v) && Object.hasOwn(v, key) ? v[key] : undefined), value);

/** A value at a path, beside those that are there. */
function placed([key, ...path]: readonly string[], value: unknown, beside?: unknown): unknown {
  if (key === undefined) return value;
  const others = isObject(beside) ? beside : {};
  return { ...others, [key]: placed(path, value, others[key]) };
}

/** Where it is what it was meant to become, as it was declared. */
function asDeclared(shown: unknown, meant: unknown, declared: unknown): unknown {
  if (isDeepStrictEqual(shown, meant)) return declared;
  if (!isObject(shown) || !isObject(meant) || !isObject(declared)) return shown;
  return Object.fromEntries(
    Object.entries(shown).map(([key, value]) => [
      key,
      Object.hasOwn(meant, key) && Object.hasOwn(declared, key) ? asDeclared(value, meant[key], declared[key]) : value,
    ]),
  );
}

function lineOf(lines: Properties | undefined, tool: string, key: string): string | undefined {
  const line = valueAt(lines, [tool, key]);
  return typeof line === "string" ? line : undefined;
}

function mapLines(lines: Properties, change: (tool: string, key: string, line: string) => string): void {
  for (const [tool, some] of Object.entries(lines))
    if (isObject(some))
      lines[tool] = Object.fromEntries(Object.entries(some).map(([k, v]) => [k, change(tool, k, String(v))]));
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
