/** What the texts say of the host as a whole: arguments of a ConntrackTuning. */
import { type ConntrackTuningArgs, conntrackTuning } from "../../conntrack-tuning/model";
import { type Note, troubleOf } from "./draft";
import { type Span, Trouble, type Word, type Words, fail } from "./text";
import { numberOf } from "./tcp-options";
import { type Variables } from "./variables";

export interface HostDraft {
  readonly args: ConntrackTuningArgs;
  /** By path, such as `tcpLoose`. */
  readonly origins: Map<string, Span>;
  readonly notes: Note[];
}

/** The value for SYNPROXY is FireHOL's own as soon as it sets one up, whatever the variable says. */
interface HostVariable {
  readonly property: "tcpLoose" | "timestamps" | "synCookies" | "max" | "buckets";
  readonly values?: Readonly<Record<string, boolean | "noOffset" | "always">>;
  readonly spoils?: string;
}

export const HOST_VARIABLES: Readonly<Record<string, HostVariable>> = {
  FIREHOL_CONNTRACK_LOOSE_MATCHING: { property: "tcpLoose", values: { 0: false, 1: true }, spoils: "1" },
  FIREHOL_TCP_TIMESTAMPS: { property: "timestamps", values: { 0: false, 1: true, 2: "noOffset" }, spoils: "0" },
  FIREHOL_TCP_SYN_COOKIES: { property: "synCookies", values: { 0: false, 1: true, 2: "always" }, spoils: "0" },
  FIREHOL_CONNTRACK_MAX: { property: "max" },
  FIREHOL_CONNTRACK_HASHSIZE: { property: "buckets" },
};

/** Variables that the text or the caller sets. An empty one leaves the host as it is. */
export function readHostVariables(host: HostDraft, variables: Variables, start: Span, hasRules: boolean): void {
  for (const [name, variable] of Object.entries(HOST_VARIABLES)) {
    const word = variables.wordOf(name, start);
    if (word.text === "") continue;
    if (hasRules && word.text === variable.spoils)
      host.notes.push({ at: word, text: `${name}=${word.text} is left out: FireHOL overrides it for SYNPROXY` });
    else set(host, variable.property, valueOf(name, variable, word), word);
  }
}

function valueOf(name: string, { values }: HostVariable, word: Word): boolean | string | number {
  if (values === undefined) return numberOf(word, name);
  const value = Object.hasOwn(values, word.text) ? values[word.text] : undefined;
  return value ?? fail(word, `${name} is ${Object.keys(values).join(" or ")}`);
}

function set(host: HostDraft, property: string, value: unknown, at: Span): void {
  Object.assign(host.args, { [property]: value });
  host.origins.set(property, { from: at.from, to: at.to });
}

/** ALOHA's settings of its services: `sysctl tcp_loose=0` of conntrack, `conntrack` of LVS. */
export function readService(host: HostDraft, head: Word, words: Words): void {
  if (head.text === "sysctl") readSysctl(host, words.takeAfter(head, "tcp_loose=0"));
  else {
    // It is what lets IPVS and SYNPROXY work on the same connection (Documentation/networking/ipvs-sysctl.rst).
    set(host, "extra", { "net.ipv4.vs.conntrack": 1 }, head);
    set(host, "modules", { ip_vs: {} }, head);
  }
  const more = words.take();
  if (more) fail(more, `nothing goes behind ${head.text === "sysctl" ? "the value" : head.text}`);
}

function readSysctl(host: HostDraft, word: Word): void {
  const [, value] = /^tcp_loose=([01])$/.exec(word.text) ?? [];
  if (value === undefined)
    fail(word, "of ALOHA's conntrack settings only tcp_loose=0 is about SYNPROXY; ConntrackTuning has the others");
  set(host, "tcpLoose", value === "1", word);
}

/** Undefined if the text says nothing of the host. */
export function judgedHost({ args, origins }: HostDraft, start: Span): ConntrackTuningArgs | undefined {
  if (Object.keys(args).length === 0) return undefined;
  const result = conntrackTuning.safeParse(args);
  if (!result.success) throw troubleOf(result.error, origins, start);
  return args;
}

/** Where something is said of the host, if anything is. */
export function firstOfHost({ origins }: HostDraft): Trouble | undefined {
  const [at] = [...origins.values()].toSorted((a, b) => a.from - b.from);
  return at && new Trouble(at, "this is about the host, not about a rule: parseAll gives it for a ConntrackTuning");
}
