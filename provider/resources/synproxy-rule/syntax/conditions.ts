/** What a rule matches: addresses, ports and interfaces, as both dialects write them. */
import { type Family, parseAddresses } from "../../../addresses";
import { type Draft } from "./draft";
import { type Word, fail, items } from "./text";

export type AddressList = "destinations" | "sources";

/** As the model calls it. */
export const negation = { destinations: "notDestinations", sources: "notSources", ports: "notPorts" } as const;

/** Names that stand for numbers; iptables looks them up in /etc/services. */
const SERVICES: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  http: 80,
  www: 80,
  pop3: 110,
  imap: 143,
  imap2: 143,
  ldap: 389,
  https: 443,
  submission: 587,
  ldaps: 636,
  imaps: 993,
  pop3s: 995,
  mysql: 3306,
  postgresql: 5432,
};

/** `80`, `8000:8080`, `8000-8080`, `1024:` (to the last), `:1023` (from the first), `http`. */
function portOf(word: Word): string {
  const service = Object.hasOwn(SERVICES, word.text) ? SERVICES[word.text] : undefined;
  if (service !== undefined) return service.toString();
  const [, from, to] = /^([0-9]*)[:-]([0-9]*)$/.exec(word.text) ?? [];
  if (from !== undefined && to !== undefined && from + to !== "") return `${from || "1"}-${to || "65535"}`;
  if (/^[0-9]+$/.test(word.text)) return word.text;
  return fail(
    word,
    "is not a port (80) or a range (8000:8080); a service that is not known by its name here: give its number",
  );
}

export function placePorts(draft: Draft, ports: readonly Word[], not: boolean): void {
  const list = not ? negation.ports : "ports";
  draft.args.match[list] = ports.map((word) => {
    const port = portOf(word);
    return /^[0-9]{1,5}$/.test(port) ? Number(port) : port;
  });
  placed(draft, list, ports);
}

export function placeInterfaces(draft: Draft, names: readonly Word[], not: boolean): void {
  const list = not ? "notInterfaces" : "interfaces";
  const wild = names.find(({ text }) => text.endsWith("+"));
  if (wild) fail(wild, "a pattern of names cannot be matched; name the interfaces one by one");
  draft.args.match[list] = names.map(({ text }) => text);
  placed(draft, list, names);
}

export function placeAddresses(draft: Draft, of: AddressList, addresses: readonly Word[], not: boolean): void {
  const list = not ? negation[of] : of;
  const { match } = draft.args;
  const before = match[list] ?? [];
  match[list] = [...before, ...addresses.map(({ text }) => text)];
  placed(draft, list, addresses, before.length);
}

function placed(draft: Draft, list: string, words: readonly Word[], before = 0): void {
  for (const [i, word] of words.entries())
    draft.origins.set(`match.${list}.${(before + i).toString()}`, { from: word.from, to: word.to });
  const first = words[0];
  if (first && before === 0) draft.origins.set(`match.${list}`, { from: first.from, to: words.at(-1)?.to ?? first.to });
}

/** Of what can be read as an address. */
export function familyOf(word: Word): Family | undefined {
  const range = parseAddresses(word.text);
  return typeof range === "string" ? undefined : range.family;
}

/** At least one. */
export function listAfter(keyword: Word, word: Word): readonly [Word, ...Word[]] {
  const [first, ...rest] = items(word);
  return first ? [first, ...rest] : fail(word, `nothing is left to match: ${keyword.text} has an empty list`);
}
