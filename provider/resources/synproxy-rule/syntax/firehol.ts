/** FireHOL's statements: `[ipv4|ipv6|both] synproxy <type> <rules to match> <action> [action options]`. */
import { type Family } from "../../../addresses";
import { type SynproxyRuleArgs } from "../model";
import { type Draft, newDraft, note, once } from "./draft";
import { type AddressList, familyOf, listAfter, placeAddresses, placeInterfaces, placePorts } from "./conditions";
import { readLimit, readOverflow } from "./limits";
import { refusalOf } from "./refused";
import { numberOf, readTcpOption, settleTcpOptions } from "./tcp-options";
import { type Span, Trouble, type Word, Words, fail, items, wordAt } from "./text";
import { type Variables, networksNamed } from "./variables";

export type ActionArgs = NonNullable<SynproxyRuleArgs["action"]>;
export type Actions = Readonly<Record<string, ActionArgs>>;

type FamilyName = NonNullable<SynproxyRuleArgs["family"]>;
const NAMESPACES: Readonly<Record<string, FamilyName>> = { ipv4: "ipv4", ipv6: "ipv6", both: "both", ipv46: "both" };
const COMMANDS: Readonly<Record<string, FamilyName | undefined>> = {
  synproxy: undefined,
  synproxy4: "ipv4",
  synproxy6: "ipv6",
  synproxy46: "both",
};

const CHAINS: Readonly<Record<string, SynproxyRuleArgs["chain"]>> = {
  input: "input",
  in: "input",
  forward: "forward",
  pass: "forward",
};

export const namespaceOf = (text: string): FamilyName | undefined =>
  Object.hasOwn(NAMESPACES, text) ? NAMESPACES[text] : undefined;

export const isSynproxy = (text: string): boolean => Object.hasOwn(COMMANDS, text);

export interface Context {
  readonly variables: Variables;
  readonly actions: Actions;
}

/** `src` and `dst` wait for the whole statement: only then is its family known. */
interface Addresses {
  readonly keyword: Word;
  readonly of: AddressList;
  readonly not: boolean;
  readonly words: readonly Word[];
  readonly family: Family | undefined;
}

interface Reading {
  readonly draft: Draft;
  readonly words: Words;
  readonly context: Context;
  readonly seen: Set<string>;
  readonly addresses: Addresses[];
}

export function readFirehol(head: Word, words: Words, context: Context): Draft {
  const command = namespaceOf(head.text) === undefined ? head : words.takeAfter(head, "synproxy");
  const chain = words.takeAfter(command, "input or forward");
  const draft = newDraft(head, chainOf(chain));
  draft.origins.set("chain", chain);
  const family = namespaceOf(head.text) ?? COMMANDS[command.text];
  if (family) draft.args.family = family;
  draft.origins.set("family", head);
  const reading: Reading = { draft, words, context, seen: new Set(), addresses: [] };
  const action = readMatch(reading);
  settleAddresses(reading);
  draft.args.action = "accept";
  if (action) readAction(reading, action);
  needed(reading, command);
  readVariables(reading);
  return draft;
}

function chainOf(word: Word): SynproxyRuleArgs["chain"] {
  const text = word.text.toLowerCase();
  const chain = Object.hasOwn(CHAINS, text) ? CHAINS[text] : undefined;
  return (
    chain ??
    fail(
      word,
      items(word).length > 1
        ? "is two chains; write a statement for each: input for addresses of the host, forward for routed ones"
        : "is not input (in) or forward (pass), the places where SYNPROXY can answer",
    )
  );
}

const ACTIONS = ["accept", "drop", "deny", "reject", "dnat", "redirect", "action"];

/** Up to the action, which it returns. */
function readMatch(reading: Reading): Word | undefined {
  const { words } = reading;
  for (let word = words.take(); word; word = words.take()) {
    if (ACTIONS.includes(word.text.toLowerCase())) return word;
    readCondition(reading, word);
  }
  return undefined;
}

function readCondition(reading: Reading, word: Word): void {
  const { draft, words, seen } = reading;
  const keyword = word.text.toLowerCase();
  switch (keyword) {
    case "inface":
      readList(reading, word, placeInterfaces);
      return;
    case "dport":
      readList(reading, word, placePorts);
      return;
    case "src":
    case "src4":
    case "src6":
      readAddresses(reading, word, "sources");
      return;
    case "dst":
    case "dst4":
    case "dst6":
      readAddresses(reading, word, "destinations");
      return;
    case "proto":
    case "protocol":
      readProtocol(word, words, seen);
      return;
    case "log":
    case "loglimit":
      once(seen, word, "log");
      draft.args.logHandshake = readLog(reading, word, "logHandshake");
      return;
    case "connlog":
    case "limit":
    case "connlimit":
    case "iplimit":
    case "hashlimit":
      fail(word, "goes behind the action: before it, it would be for each packet of the handshake");
      return;
    default:
      fail(word, refusalOf(word.text));
  }
}

const isNot = (word: Word): boolean => word.text.toLowerCase() === "not" || word.text === "!";

const takeNot = (words: Words): Word | undefined => {
  const word = words.peek();
  return word && isNot(word) ? words.take() : undefined;
};

function readList(
  { draft, words, seen }: Reading,
  keyword: Word,
  place: (draft: Draft, list: readonly Word[], not: boolean) => void,
): void {
  once(seen, keyword);
  const negation = takeNot(words);
  const not = negation !== undefined;
  const list = listAfter(keyword, words.takeAfter(negation ?? keyword, "a value"));
  if (!isAny(list, not)) place(draft, list, not);
}

function isAny(list: readonly Word[], not: boolean): boolean {
  const any = list.find(({ text }) => text.toLowerCase() === "any");
  if (any && not) fail(any, "nothing is left to match");
  return any !== undefined;
}

function readAddresses({ draft, words, seen, addresses }: Reading, keyword: Word, of: AddressList): void {
  const family = familyNamed(keyword, draft.args.family);
  for (const f of family === undefined ? (["4", "6"] as const) : [family.toString()]) once(seen, keyword, `${of}${f}`);
  const negation = takeNot(words);
  const not = negation !== undefined;
  const list = listAfter(keyword, words.takeAfter(negation ?? keyword, "an address"));
  const other = addresses.find((a) => a.of === of && a.not !== not);
  if (other) fail(keyword, `${other.keyword.text} and ${keyword.text} must both have not, or neither of them`);
  const any = isAny(list, not);
  addresses.push({ keyword, of, not, family, words: any ? [] : list });
}

function familyNamed(keyword: Word, statement: FamilyName | undefined): Family | undefined {
  const digit = keyword.text.slice(-1);
  if (digit !== "4" && digit !== "6") return undefined;
  if (statement !== undefined && statement !== "both" && statement !== `ipv${digit}`)
    fail(keyword, `the statement is for ${statement} alone`);
  return digit === "4" ? 4 : 6;
}

function readProtocol(keyword: Word, words: Words, seen: Set<string>): void {
  once(seen, keyword, "proto");
  const not = takeNot(words);
  const value = words.takeAfter(not ?? keyword, "tcp");
  if (not !== undefined || value.text.toLowerCase() !== "tcp") fail(value, "SYNPROXY is for TCP alone");
}

/** Names of lists become addresses of the statement's family, or of that which its other addresses have. */
function settleAddresses({ draft, addresses }: Reading): void {
  const { family } = draft.args;
  const said = family === "ipv4" ? [4] : family === "ipv6" ? [6] : undefined;
  const seen = new Set(addresses.flatMap(({ words }) => words.flatMap((word) => familyOf(word) ?? [])));
  const families = ([4, 6] as const).filter((f) => (said ? said.includes(f) : seen.size === 0 || seen.has(f)));
  for (const { of, not, words, family: only } of addresses) {
    const allowed = only === undefined ? families : [only];
    const list = words.flatMap((word) => expanded(draft, word, allowed));
    for (const word of list) checkFamily(word, only === undefined ? said : [only]);
    if (list.length > 0) placeAddresses(draft, of, list, not);
  }
}

function expanded(draft: Draft, word: Word, families: readonly Family[]): readonly Word[] {
  if (word.text.startsWith("ipset:")) fail(word, refusalOf("ipset"));
  const networks = families.flatMap((family) => networksNamed(word.text, family));
  if (networks.length === 0) return [word];
  note(
    draft,
    word,
    "these networks are the list of FireHOL 3.1.7; if /etc/firehol has another one, give that in variables",
  );
  return networks.map((network) => wordAt(network, word));
}

function checkFamily(word: Word, families: readonly number[] | undefined): void {
  const family = familyOf(word);
  if (family !== undefined && families !== undefined && !families.includes(family))
    fail(word, `is an IPv${family.toString()} address, and this is for IPv${families.join(" and ")}`);
}

function readAction(reading: Reading, word: Word): void {
  const { draft, words } = reading;
  const named = word.text.toLowerCase() === "action" ? words.takeAfter(word, "the name of an action") : word;
  draft.origins.set("action", named);
  draft.args.action = actionOf(reading, named, named !== word);
  readOptions(reading);
}

function actionOf(reading: Reading, word: Word, custom: boolean): ActionArgs {
  const { context, words } = reading;
  // The caller's meaning goes before FireHOL's own.
  const mapped = custom && Object.hasOwn(context.actions, word.text) ? context.actions[word.text] : undefined;
  if (mapped !== undefined) return mapped;
  switch (word.text.toLowerCase()) {
    case "accept":
      return "accept";
    case "drop":
    case "deny":
      return "drop";
    case "reject":
      readRejectWith(words);
      return "reject";
    case "redirect":
      return readRedirect(reading, word);
    case "dnat":
      return readDnat(reading, word);
    default:
      return fail(
        word,
        `what this action does is not known here; say it in the options of parse, such as ` +
          `actions: { ${word.text}: { trap: { set: "trap", timeout: "1h" } } }`,
      );
  }
}

function readRejectWith(words: Words): void {
  const keyword = words.takeIf("with", "--reject-with");
  const message = keyword && words.takeAfter(keyword, "tcp-reset");
  if (message && !["tcp-reset", "auto"].includes(message.text))
    fail(message, "a connection that the proxy has accepted can only be reset; write reject alone");
}

function readRedirect({ draft, words }: Reading, keyword: Word): ActionArgs {
  const port = words.takeAfter(words.takeIf("to", "to-port") ?? keyword, "a port");
  if (!/^[0-9]+$/.test(port.text)) fail(port, "redirect leads to one port of the host, given as a number");
  draft.origins.set("action.redirect", port);
  const persistent = words.takeIf("persistent", "--persistent");
  if (persistent) fail(persistent, "redirect leads to one port; leave it out");
  return { redirect: Number(port.text) };
}

function readDnat({ draft, words }: Reading, keyword: Word): ActionArgs {
  const to = words.takeAfter(words.takeIf("to", "to-destination") ?? keyword, "an address");
  const [, second] = items(to);
  if (second) fail(second, "several servers are one range here: dnat to 10.1.1.1-10.1.1.10");
  if (to.text.includes("/")) fail(to, "servers have no weights here; each of a range gets its share");
  draft.origins.set("action.dnat.to", to);
  const persistent = words.takeIf("persistent", "--persistent");
  if (persistent === undefined) return { dnat: { to: to.text } };
  draft.origins.set("action.dnat.persistent", persistent);
  return { dnat: { to: to.text, persistent: true } };
}

/** What goes behind the action is for the proxy's SYN to the server. */
function readOptions(reading: Reading): void {
  const { draft, words, seen } = reading;
  const behind = new Set<string>();
  for (let word = words.take(); word; word = words.take()) {
    if (readLimit(draft, word, words, behind)) continue;
    const keyword = word.text.toLowerCase();
    if (keyword === "with") readWith(reading, word, behind);
    else if (keyword === "log" || keyword === "loglimit" || keyword === "connlog") {
      once(behind, word, "log");
      draft.args.log = readLog(reading, word, "log");
    } else fail(word, behindAction(keyword, seen) ?? refusalOf(word.text));
  }
}

const CONDITIONS = ["inface", "src", "src4", "src6", "dst", "dst4", "dst6", "dport", "proto", "protocol"];

function behindAction(keyword: string, seen: ReadonlySet<string>): string | undefined {
  if (keyword === "persistent") return "goes right behind the address of dnat";
  if (ACTIONS.includes(keyword)) return "the statement has its action already";
  if (!CONDITIONS.includes(keyword)) return undefined;
  return seen.has(keyword)
    ? "behind the action it would only drop connections; write a second statement for those, with drop"
    : "goes before the action; behind it, it would drop all other connections after their handshake";
}

function readWith({ draft, words }: Reading, keyword: Word, behind: Set<string>): void {
  const kind = words.takeAfter(keyword, "limit, connlimit or hashlimit");
  if (!readLimit(draft, kind, words, behind))
    fail(kind, "is not kept by a rule; limit, connlimit and hashlimit are: with connlimit upto 20");
  if (kind.text.toLowerCase() === "limit") readOverflow(draft, words, kind);
}

const LEVELS = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"] as const;
const OTHER_NAMES: Readonly<Record<string, string>> = { panic: "emerg", error: "err", warning: "warn" };

/** By name or by number, as iptables takes it. */
function levelOf(word: Word): (typeof LEVELS)[number] {
  const text = word.text.toLowerCase();
  const named = Object.hasOwn(OTHER_NAMES, text) ? OTHER_NAMES[text] : text;
  const level = LEVELS.find((name, i) => name === named || i.toString() === text);
  return level ?? fail(word, "is no level of syslog: emerg, alert, crit, err, warning, notice, info or debug");
}

type Log = Exclude<SynproxyRuleArgs["log"], true | undefined>;

/** `loglimit "TEXT" level info`. The rate of loglimit, level and prefix are FireHOL's variables. */
function readLog({ draft, words, context: { variables } }: Reading, keyword: Word, path: string): Log {
  const text = words.takeAfter(keyword, "a text");
  const level = words.takeIf("level");
  const prefix = variables.wordOf("FIREHOL_LOG_PREFIX", keyword).text + text.text;
  draft.origins.set(path, keyword);
  draft.origins.set(`${path}.prefix`, text);
  const limited = keyword.text.toLowerCase() === "loglimit";
  if (!limited)
    note(
      draft,
      keyword,
      "at most 10 lines a second are logged; loglimit, or rate in the arguments, sets another limit",
    );
  return {
    prefix,
    ...(limited ? logRate(draft, variables, keyword, path) : {}),
    level: levelOf(level ? words.takeAfter(level, "a level") : variables.wordOf("FIREHOL_LOG_LEVEL", keyword)),
  };
}

function logRate(draft: Draft, variables: Variables, at: Span, path: string): Pick<Log, "rate" | "burst"> {
  const rate = variables.wordOf("FIREHOL_LOG_FREQUENCY", at);
  const burst = variables.wordOf("FIREHOL_LOG_BURST", at);
  draft.origins.set(`${path}.rate`, rate);
  draft.origins.set(`${path}.burst`, burst);
  return { rate: rate.text, burst: numberOf(burst, "FIREHOL_LOG_BURST") };
}

/** FireHOL refuses a statement without inface, and one without dst unless it leaves the host's own packets out. */
function needed({ draft, seen, addresses, context: { variables } }: Reading, command: Word): void {
  if (!seen.has("inface")) fail(command, "FireHOL needs inface: the interfaces where clients arrive, or any");
  const hasDestination = addresses.some(({ of }) => of === "destinations");
  const excludesOwner = variables.isOn("FIREHOL_SYNPROXY_EXCLUDE_OWNER", draft.at);
  if (hasDestination) return;
  if (!excludesOwner)
    fail(command, "FireHOL needs dst: the server's address; it does without if FIREHOL_SYNPROXY_EXCLUDE_OWNER=1");
  if (draft.args.match.notSources === undefined)
    fail(command, "without dst FireHOL needs the addresses of your own networks: src not ...");
}

function readVariables({ draft, context: { variables } }: Reading): void {
  readSynproxyOptions(draft, variables);
  if (draft.args.logHandshake !== undefined || !variables.isOn("FIREHOL_SYNPROXY_LOG", draft.at)) return;
  draft.args.logHandshake = {
    ...logRate(draft, variables, draft.at, "logHandshake"),
    level: levelOf(variables.wordOf("FIREHOL_LOG_LEVEL", draft.at)),
  };
}

/** `--sack-perm --timestamp --wscale 7 --mss 1460`, with dashes or without. */
function readSynproxyOptions(draft: Draft, variables: Variables): void {
  const value = variables.wordOf("FIREHOL_SYNPROXY_OPTIONS", draft.at);
  const words = new Words(items(value));
  if (words.peek() === undefined) throw new Trouble(value, "FIREHOL_SYNPROXY_OPTIONS is empty; FireHOL refuses that");
  const seen = new Set<string>();
  for (let word = words.take(); word; word = words.take())
    if (!readTcpOption(draft, word.text.replace(/^--/, ""), word, words, seen))
      fail(word, "is no option of SYNPROXY: --sack-perm, --timestamp, --wscale N, --mss N");
  settleTcpOptions(draft);
  const { options } = draft.args;
  if (options?.mss === undefined)
    note(draft, value, "mss 1460 is announced; FireHOL would announce none, and clients would send small segments");
  if (options?.timestamp === true && options.wscale === undefined)
    note(draft, value, "wscale 7 is announced: nft cannot leave it out");
}
