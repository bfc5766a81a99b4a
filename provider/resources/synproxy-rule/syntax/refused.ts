/** FireHOL's words that no arguments stand for, each with what to do instead. */

const MARK = "marks are not matched: SYNPROXY answers before they would be set";
const OWNER = "is about programs of the host itself, and a rule is about clients; leave it out";
const CUSTOM = "iptables' own options are not read; say it in words of the statement, or in arguments";
const LOCAL =
  'is said by the chain: input for addresses of the host, forward for others; or name the addresses by "dst"';

const REFUSED: Readonly<Record<string, string>> = {
  outface: "where a connection leaves follows from its destination; name that by dst instead",
  physin: "ports of a bridge are not matched; name the bridge by inface",
  physout: "ports of a bridge are not matched; leave it out",
  sport: "a client's port is any; leave it out",
  mac: "hardware addresses are not matched; name clients by src, or the interface by inface",
  srctype: "types of addresses are not matched; name clients by src",
  dsttype: LOCAL,
  dscp: "is not matched: SYNPROXY is for all of a service's connections",
  tos: "is not matched: SYNPROXY is for all of a service's connections",
  mark: MARK,
  connmark: MARK,
  custommark: MARK,
  rawmark: MARK,
  uid: OWNER,
  user: OWNER,
  gid: OWNER,
  group: OWNER,
  state: "states are the rule's own business; leave it out",
  ipset:
    "sets that something else fills are not matched; name the clients by src, or let a trap fill a set and name it in denySources",
  helper: "is about connections that others belong to; leave it out",
  custom: CUSTOM,
  customin: CUSTOM,
  "custom-in": CUSTOM,
  customout: CUSTOM,
  "custom-out": CUSTOM,
  acct: "there is no accounting by name; leave it out: the rule has counters of its own",
  accounting: "there is no accounting by name; leave it out: the rule has counters of its own",
  or: "an alternative is a rule of its own; write another statement",
  random: "ports are not drawn at random; leave it out",
  "--random": "ports are not drawn at random; leave it out",
  id: "names a balancer of FireHOL's; leave it out",
  "--id": "names a balancer of FireHOL's; leave it out",
  name: "names a chain of FireHOL's; leave it out",
  at: "where NAT takes place is the rule's own business; leave it out",
};

/** Words of the other dialect, and what people write for the right ones. */
const MEANT: Readonly<Record<string, string>> = {
  iface: "inface",
  interface: "inface",
  source: "src",
  destination: "dst",
  dstport: "dport",
  dports: "dport",
  port: "dport",
  ports: "dport",
};

export function refusalOf(text: string): string {
  const word = text.toLowerCase();
  if (Object.hasOwn(REFUSED, word)) return REFUSED[word] ?? "";
  if (Object.hasOwn(MEANT, word)) return `FireHOL writes ${MEANT[word] ?? ""}`;
  return "is no word of a synproxy statement; an action of your own is written: action NAME";
}
