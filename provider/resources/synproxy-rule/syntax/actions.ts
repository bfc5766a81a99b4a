/** What becomes of a connection, and the options behind it that are for the proxy's SYN to the server. */
import { parseTarget } from "../../../kernel/nftables/nat";
import { once } from "./draft";
import { readLimit, readOverflow } from "./limits";
import { readLog } from "./logs";
import { ACTIONS, type ActionArgs, type FamilyName, type Reading } from "./reading";
import { refusalOf } from "./refused";
import { type Word, type Words, fail, items } from "./text";

export function readAction(reading: Reading, word: Word): void {
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
  checkTarget(to, draft.args.family);
  draft.origins.set("action.dnat.to", to);
  const persistent = words.takeIf("persistent", "--persistent");
  if (persistent === undefined) return { dnat: { to: to.text } };
  draft.origins.set("action.dnat.persistent", persistent);
  return { dnat: { to: to.text, persistent: true } };
}

function checkTarget(word: Word, family: FamilyName | undefined): void {
  const target = parseTarget(word.text);
  const to = typeof target === "string" ? undefined : target.addresses?.family;
  if (to !== undefined && family !== undefined && family !== "both" && family !== `ipv${to.toString()}`)
    fail(word, `a connection cannot change from one protocol to the other; the statement is for ${family}`);
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
