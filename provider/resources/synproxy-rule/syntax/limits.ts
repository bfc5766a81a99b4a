/** FireHOL's limits of the final action: connlimit, limit, hashlimit, alone or behind `with`. */
import { type Draft, note, once } from "./draft";
import { type Word, type Words, fail, items } from "./text";
import { numberOf } from "./tcp-options";

type Per = "rule" | "source" | { ipv4?: number; ipv6?: number };

const above = (word: Word): never =>
  fail(word, "would let through only what is above the limit; write upto, what is above it is dropped");

/** Reads a limit; false if the word is none. */
export function readLimit(draft: Draft, word: Word, words: Words, seen: Set<string>): boolean {
  switch (word.text.toLowerCase()) {
    case "connlimit":
    case "iplimit":
      once(seen, word, "connlimit");
      readConnlimit(draft, word, words);
      return true;
    case "limit":
      once(seen, word, "limit");
      readRate(draft, word, words);
      return true;
    case "hashlimit":
      once(seen, word, "limit");
      readHashlimit(draft, word, words);
      return true;
    default:
      return false;
  }
}

/** `with limit 10/second 20 overflow reject`. Without an overflow FireHOL rejects. */
export function readOverflow(draft: Draft, words: Words, limit: Word): void {
  const overflow = words.takeIf("overflow");
  const action = overflow && words.takeAfter(overflow, "drop or reject");
  const text = action?.text.toLowerCase() ?? "reject";
  if (text === "drop" || text === "deny") return;
  if (text !== "reject") fail(action ?? limit, "what is above a limit is dropped; nothing else can become of it");
  note(
    draft,
    action ?? limit,
    "what is above the limit is dropped, not rejected: a client takes no notice of the reset",
  );
}

function readConnlimit(draft: Draft, keyword: Word, words: Words): void {
  let max: Word | undefined;
  let mask: Word | undefined;
  let destination: Word | undefined;
  for (;;) {
    const part = words.takeIf("upto", "above", "mask", "saddr", "daddr");
    const text = part?.text.toLowerCase();
    if (part === undefined) break;
    if (text === "above") above(part);
    else if (text === "upto") max = words.takeAfter(part, "a number of connections");
    else if (text === "mask") mask = words.takeAfter(part, "a prefix length");
    else destination = text === "daddr" ? part : undefined;
  }
  if (max === undefined) fail(keyword, "connlimit is written: connlimit upto NUMBER [mask PREFIX] [saddr|daddr]");
  draft.args.connectionLimit = {
    max: numberOf(max, "a number of connections"),
    per: destination ? perDestination(draft, destination, mask) : perSource(draft, mask),
  };
  draft.origins.set("connectionLimit", keyword);
  draft.origins.set("connectionLimit.max", max);
  if (mask) draft.origins.set("connectionLimit.per", mask);
  note(
    draft,
    keyword,
    "connlimit counts the connections to all services of the host; connectionLimit counts those of this rule",
  );
}

/** Clients one by one, or the networks that a mask makes of them. */
function perSource({ args: { family } }: Draft, mask: Word | undefined): Per {
  if (mask === undefined) return "source";
  const length = numberOf(mask, "a prefix length");
  if (length === 0) return "rule";
  if (length > (family === "ipv6" ? 128 : 32))
    fail(mask, "is longer than an address; for IPv6 write: ipv6 synproxy ...");
  return { ...(family === "ipv6" ? {} : { ipv4: length }), ...(family === "ipv4" ? {} : { ipv6: length }) };
}

/** Of one destination, its count is the rule's. */
function perDestination(draft: Draft, word: Word, mask?: Word): "rule" {
  if (mask) fail(mask, "counts networks of destinations; write a rule for each network, without mask");
  if (!isOne(draft.args.match.destinations))
    fail(word, "counts for each destination; write a rule for each address, then the count is the rule's");
  return "rule";
}

const isOne = (list: readonly (number | string)[] | undefined): boolean =>
  list?.length === 1 && !/[-/]/.test(String(list[0]));

function readRate(draft: Draft, keyword: Word, words: Words): void {
  const rate = words.takeAfter(keyword, "a rate and a burst");
  const burst = words.takeAfter(rate, "a burst");
  draft.args.rateLimit = { rate: rateOf(rate), burst: numberOf(burst, "a burst") };
  placeRate(draft, keyword, rate, burst);
}

function placeRate(draft: Draft, keyword: Word, rate: Word, burst: Word): void {
  draft.origins.set("rateLimit", keyword);
  draft.origins.set("rateLimit.rate", rate);
  draft.origins.set("rateLimit.burst", burst);
}

/** Without a unit iptables takes it for one a second. */
function rateOf(word: Word): string {
  if (/b\/|[kmg]b/i.test(word.text)) fail(word, "bytes are not limited; give a rate of connections, such as 10/second");
  return /^[0-9]+$/.test(word.text) ? `${word.text}/second` : word.text;
}

interface Hashlimit {
  rate?: Word;
  burst?: Word;
  mode?: Word;
  srcmask?: Word;
}

function readHashlimit(draft: Draft, keyword: Word, words: Words): void {
  const name = words.takeAfter(keyword, "a name");
  const { rate, burst, mode, srcmask } = hashlimitParts(words);
  if (rate === undefined)
    return fail(keyword, "hashlimit is written: hashlimit NAME upto RATE [burst NUMBER] [mode srcip] [srcmask PREFIX]");
  draft.args.rateLimit = {
    rate: rateOf(rate),
    burst: burst ? numberOf(burst, "a burst") : 5,
    per: perMode(draft, mode, srcmask, keyword),
  };
  placeRate(draft, keyword, rate, burst ?? keyword);
  if (srcmask) draft.origins.set("rateLimit.per", srcmask);
  note(
    draft,
    name,
    `what other statements count as ${JSON.stringify(name.text)} is not counted here: the rate is the rule's`,
  );
}

function hashlimitParts(words: Words): Hashlimit {
  const found: Hashlimit = {};
  for (let part = words.peek(); part; part = words.peek()) {
    const slot = slotOf(part);
    if (slot === undefined) break;
    words.take();
    found[slot] = words.takeAfter(part, "a value");
  }
  return found;
}

/** Where the value behind this word goes; undefined where hashlimit has ended. */
function slotOf(part: Word): keyof Hashlimit | undefined {
  const text = part.text.toLowerCase();
  if (text === "above") return above(part);
  if (text === "dstmask") return fail(part, "counts networks of destinations; write a rule for each network");
  if (/^htable[-_]/.test(text)) return fail(part, "sizes a table of iptables' own; leave it out");
  if (text === "upto") return "rate";
  return text === "burst" || text === "mode" || text === "srcmask" ? text : undefined;
}

/** FireHOL's default is `srcip,dstport`. Where there is one destination or one port, to count by it changes nothing. */
function perMode(draft: Draft, mode: Word | undefined, srcmask: Word | undefined, keyword: Word): Per {
  const modes = mode ? items(mode) : [];
  const { destinations, ports } = draft.args.match;
  for (const word of modes)
    if (word.text === "dstip" ? !isOne(destinations) : word.text === "dstport" ? !isOne(ports) : word.text !== "srcip")
      fail(
        word,
        "cannot be counted by; a rule counts its connections by srcip, or all of them: write a rule for each address and port",
      );
  if (mode === undefined && !isOne(ports))
    fail(keyword, "without a mode counts for each port; write mode srcip, or a rule for each port");
  return mode === undefined || modes.some(({ text }) => text === "srcip") ? perSource(draft, srcmask) : "rule";
}
