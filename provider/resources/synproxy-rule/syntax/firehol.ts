/** FireHOL's statements: `[ipv4|ipv6|both] synproxy <type> <rules to match> <action> [action options]`. */
import { type Family } from "../../../addresses";
import { type SynproxyRuleArgs } from "../model";
import { readAction } from "./actions";
import { type AddressList, familyOf, listAfter, placeAddresses, placeInterfaces, placePorts } from "./conditions";
import { type Draft, newDraft, note, once } from "./draft";
import { readHandshakeLog, readLog } from "./logs";
import { ACTIONS, type Context, type FamilyName, type Reading } from "./reading";
import { refusalOf } from "./refused";
import { readSynproxyOptions } from "./tcp-options";
import { type Word, type Words, fail, items, wordAt } from "./text";
import { networksNamed } from "./variables";

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
  readSynproxyOptions(draft, context.variables);
  readHandshakeLog(reading);
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
  seen.add(keyword.text.toLowerCase());
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
