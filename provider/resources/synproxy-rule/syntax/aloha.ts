/** ALOHA's SYNPROXY lines: `<chain> [conditions of application] [TCP options]`. */
import { type Draft, newDraft, once } from "./draft";
import { listAfter, placeAddresses, placeInterfaces, placePorts } from "./conditions";
import { readTcpOption, settleTcpOptions } from "./tcp-options";
import { type Word, type Words, fail } from "./text";

export const isAlohaChain = (text: string): text is "input" | "forward" => text === "input" || text === "forward";

const INSTEAD: Readonly<Record<string, string>> = {
  inface: "ALOHA writes iface",
  interface: "ALOHA writes iface",
  dport: "ALOHA writes dstport",
  port: "ALOHA writes dstport",
  src: "ALOHA has no condition on clients; add match.sources to the arguments",
  synproxy: "FireHOL writes synproxy before the chain: ipv4 synproxy input inface eth0 ...",
};

export function readAloha(chain: Word, words: Words): Draft {
  if (!isAlohaChain(chain.text)) return fail(chain, "a line of ALOHA's begins with input or forward");
  const draft = newDraft(chain, chain.text);
  const seen = new Set<string>();
  for (let word = words.take(); word; word = words.take())
    if (word.text === "not") readCondition(draft, words.takeAfter(word, "dst, iface or dstport"), words, true, seen);
    else if (!readTcpOption(draft, word.text, word, words, seen)) readCondition(draft, word, words, false, seen);
  settleTcpOptions(draft);
  return draft;
}

function readCondition(draft: Draft, word: Word, words: Words, not: boolean, seen: Set<string>): void {
  switch (word.text) {
    case "dst":
      placeAddresses(draft, "destinations", [single(word, words, "an address or a network", seen)], not);
      return;
    case "iface":
      placeInterfaces(draft, [single(word, words, "an interface", seen)], not);
      return;
    case "dstport":
      placePorts(draft, [single(word, words, "a port or a range", seen)], not);
      return;
    default:
      fail(
        word,
        (Object.hasOwn(INSTEAD, word.text) ? INSTEAD[word.text] : undefined) ??
          `${not ? "not goes before dst, iface or dstport" : "ALOHA has no such word"}; it has dst, iface, dstport, not, wscale, mss, sack-perm, timestamp`,
      );
  }
}

function single(keyword: Word, words: Words, what: string, seen: Set<string>): Word {
  once(seen, keyword);
  const value = words.takeAfter(keyword, what);
  if (value.text === "not") fail(value, `ALOHA writes it before the condition: not ${keyword.text} ...`);
  const [first, second] = listAfter(keyword, value);
  if (second) fail(second, `ALOHA takes ${what} here, not a list; write a line for each`);
  return first;
}
