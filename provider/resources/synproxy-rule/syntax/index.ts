/** The sources' own syntax: ALOHA's lines and FireHOL's statements become arguments. Nothing of them is lost silently. */
import { type ConntrackTuningArgs } from "../../conntrack-tuning/model";
import { type SynproxyRuleArgs } from "../model";
import { isAlohaChain, readAloha } from "./aloha";
import { type Draft, type Note, judged } from "./draft";
import { isSynproxy, namespaceOf, readFirehol } from "./firehol";
import { HOST_VARIABLES, type HostDraft, firstOfHost, judgedHost, readHostVariables, readService } from "./host";
import { type Actions } from "./reading";
import { RuleSyntaxError, type Span, Trouble, type Word, Words, fail, positionOf } from "./text";
import { Variables, assignmentOf, saysOfRules } from "./variables";
import { type Statement, statements } from "./words";

export { RuleSyntaxError } from "./text";

export interface ParseOptions {
  /**
   * What FireHOL's own actions (`action NAME`) become, by name:
   * `{ TRAP_AND_DROP: { trap: { set: "trap", timeout: "1h" } } }`. `accept`, `drop` and `reject` need none.
   */
  readonly actions?: Actions;
  /**
   * Values of variables that the text uses (`$WAN_IP`, `${UNROUTABLE_IPS}`) or that FireHOL reads
   * (`FIREHOL_SYNPROXY_OPTIONS`). They go before what the text assigns, and before FireHOL's defaults.
   */
  readonly variables?: Readonly<Record<string, string>>;
}

export interface ParsedRule {
  readonly args: SynproxyRuleArgs;
  /** What was left out or is not quite the same, one line each, with its place in the text. */
  readonly notes: readonly string[];
}

export interface ParsedText {
  /** One for each ALOHA line and each FireHOL statement, in the order of the text. */
  readonly rules: readonly SynproxyRuleArgs[];
  /** What the text says of the host, as arguments of a ConntrackTuning; undefined if it says nothing. */
  readonly conntrackTuning: ConntrackTuningArgs | undefined;
  /** What was left out or is not quite the same, one line each, with its place in the text. */
  readonly notes: readonly string[];
}

/** One rule. More than one, or none, is an error, and so is what a rule has no place for. */
export function parseRule(text: string, options: ParseOptions = {}): ParsedRule {
  return pointing(text, () => {
    const { drafts, host, notes } = read(text, options);
    const [first, second] = drafts;
    if (first === undefined) throw new Trouble(whole(text), "there is no ALOHA line and no synproxy statement here");
    if (second) throw new Trouble(second.at, "this is a second rule; parseAll takes several");
    const ofHost = firstOfHost(host);
    if (ofHost) throw ofHost;
    return { args: judged(first), notes: tell(text, notes) };
  });
}

/** All rules of a text, and what it says of the host. */
export function parseAll(text: string, options: ParseOptions = {}): ParsedText {
  return pointing(text, () => {
    const { drafts, host, notes } = read(text, options);
    return {
      rules: drafts.map(judged),
      conntrackTuning: judgedHost(host, whole(text)),
      notes: tell(text, notes),
    };
  });
}

const whole = (text: string): Span => ({ from: 0, to: Math.max(1, text.split("\n")[0]?.length ?? 1) });

function pointing<T>(text: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof Trouble ? new RuleSyntaxError(text, error.at, error.reason) : error;
  }
}

function tell(text: string, notes: readonly Note[]): string[] {
  return notes
    .toSorted((a, b) => a.at.from - b.at.from)
    .map(({ at, text: said }) => {
      const { line, column } = positionOf(text, at);
      return `line ${line.toString()}, column ${column.toString()}: ${said}`;
    });
}

interface Read {
  readonly drafts: readonly Draft[];
  readonly host: HostDraft;
  readonly notes: readonly Note[];
}

function read(text: string, { actions = {}, variables: given }: ParseOptions): Read {
  const variables = new Variables(given);
  const host: HostDraft = { args: {}, origins: new Map(), notes: [] };
  const drafts: Draft[] = [];
  const notes: Note[] = [];
  for (const statement of statements(text, variables.valueOf)) {
    const words = new Words(statement.words.slice(1));
    const [head] = statement.words;
    switch (kindOf(statement)) {
      case "assignment":
        assign(statement, variables, notes);
        break;
      case "aloha":
        drafts.push(readAloha(readable(statement, head), words));
        break;
      case "service":
        readService(host, readable(statement, head), words);
        break;
      case "synproxy":
        drafts.push(readFirehol(readable(statement, head), words, { variables, actions }));
        break;
      case "other":
        notes.push({ at: head, text: `${head.text} is not about SYNPROXY and is not taken over` });
        break;
    }
  }
  readHostVariables(host, variables, whole(text), drafts.length > 0);
  return { drafts, host, notes: [...notes, ...drafts.flatMap((draft) => draft.notes), ...host.notes] };
}

/** A statement that is wanted must be one that can be read. */
function readable({ problem }: Statement, head: Word): Word {
  if (problem) throw problem;
  return head;
}

type Kind = "assignment" | "aloha" | "service" | "synproxy" | "other";

/** FireHOL's other commands: firehol.conf(5). A number behind the name says for which family. */
const OTHERS =
  /^(?:version|interface|router|group|server|client|route|policy|protection|masquerade|snat|dnat|nat|redirect|iptables|ip6tables|ipset|action|blacklist|iptrap|ipuntrap|cthelper|mac|mark|markdef|connmark|custommark|classify|dscp|tos|tosfix|tcpmss|log|loglimit|tproxy|transparent_proxy|transparent_squid|ecn_shame|marksreset|postprocess|marks)(?:4|6|46)?$/;

function kindOf({ words: [head, second] }: Statement): Kind {
  const command = namespaceOf(head.text) === undefined ? head : second;
  if (assignmentOf(head) ?? head.text === "export") return "assignment";
  if (command && isSynproxy(command.text)) return "synproxy";
  if (isAlohaChain(head.text)) return "aloha";
  if (head.text === "sysctl" || (head.text === "conntrack" && second === undefined)) return "service";
  if (command && OTHERS.test(command.text)) return "other";
  return fail(
    command ?? head,
    "begins neither a line of ALOHA's (input or forward) nor a statement of FireHOL's (ipv4 synproxy ...)",
  );
}

function assign(statement: Statement, variables: Variables, notes: Note[]): void {
  const { problem, words } = statement;
  for (const word of words[0].text === "export" ? words.slice(1) : words) {
    const { name, value } = assignmentOf(word) ?? fail(word, "write an assignment on a line of its own");
    const known = saysOfRules(name.text) || Object.hasOwn(HOST_VARIABLES, name.text);
    // A value that only bash can compute may be given by the caller, or not be needed.
    if (problem && known && !variables.isGiven(name.text)) throw problem;
    if (!problem) variables.assign(name.text, value);
    if (!known && name.text.startsWith("FIREHOL_"))
      notes.push({ at: word, text: `${name.text} is not about SYNPROXY and is not taken over` });
  }
}
