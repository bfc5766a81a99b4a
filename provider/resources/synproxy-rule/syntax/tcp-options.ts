/** TCP options as ALOHA and SYNPROXY's own options write them. */
import { type Draft, judged, note, once } from "./draft";
import { Trouble, type Word, Words, fail, items } from "./text";
import { type Variables } from "./variables";

/** `7`, where it stands for a number. */
export function numberOf(word: Word, what: string): number {
  return /^[0-9]{1,12}$/.test(word.text) ? Number(word.text) : fail(word, `${what} is a whole number`);
}

/** Reads an option, with its value; false if the word is none. */
export function readTcpOption(draft: Draft, name: string, word: Word, words: Words, seen: Set<string>): boolean {
  const options = (draft.args.options ??= {});
  switch (name) {
    case "mss":
    case "wscale": {
      once(seen, word, name);
      const value = words.takeAfter(word, "a number");
      options[name] = numberOf(value, name);
      draft.origins.set(`options.${name}`, value);
      return true;
    }
    case "timestamp":
    case "ecn":
      once(seen, word, name);
      options[name] = true;
      draft.origins.set(`options.${name}`, word);
      return true;
    case "sack-perm":
      once(seen, word, name);
      options.sackPerm = true;
      draft.origins.set("options.sackPerm", word);
      return true;
    default:
      return false;
  }
}

/**
 * Without timestamps the kernel takes window scale and SACK out of the handshake, whatever the rule says
 * (net/ipv4/netfilter/ipt_SYNPROXY.c): to leave them out is what the line does today.
 */
export function settleTcpOptions(draft: Draft): void {
  const { options } = draft.args;
  if (options === undefined || options.timestamp === true) return;
  const { wscale, sackPerm, ...kept } = options;
  if (wscale === undefined && sackPerm === undefined) return;
  // Left out or not: a value that cannot be is a mistake.
  judged({ ...draft, args: { ...draft.args, options: { ...options, timestamp: true } } });
  draft.args.options = kept;
  if (wscale !== undefined) leftOut(draft, "wscale", `wscale ${wscale.toString()}`);
  if (sackPerm) leftOut(draft, "sackPerm", "sack-perm");
}

function leftOut(draft: Draft, name: string, written: string): void {
  const at = draft.origins.get(`options.${name}`) ?? draft.at;
  note(
    draft,
    at,
    `${written} is left out: without timestamp the kernel does not announce it; add timestamp to have it`,
  );
}

/** `--sack-perm --timestamp --wscale 7 --mss 1460`, with dashes or without. */
export function readSynproxyOptions(draft: Draft, variables: Variables): void {
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
