import { type NftObject } from "../../kernel/nftables/objects";
import { own, shared } from "../../kernel/object";
import { sysctl } from "../../kernel/sysctl/sysctl";
import { type Compiled } from "../../engine/desired";
import { PROTECTED, SYNPROXY_LAYOUT, type TierKey, tierElement } from "../layout";
import { type SynproxyRuleModel } from "./model";

/** The chains of a rule, by the hook they are reached from. */
export const CHAINS = { prerouting: "prerouting", input: "input" } as const;

/**
 * A client's SYN finds its key in `prerouting4` and goes untracked; untracked it reaches input, finds its key in
 * `input4`, and the proxy answers with a cookie. With tcp_loose=0 the client's ACK is invalid to conntrack and takes
 * the same way; only then is there a connection.
 */
export function compile(prefix: string, model: SynproxyRuleModel): Compiled {
  const prerouting = `${prefix}${CHAINS.prerouting}`;
  const input = `${prefix}${CHAINS.input}`;
  const { mss, wscale, timestamp, sackPerm } = model.options;
  const objects: NftObject[] = [
    { kind: "chain", name: prerouting, rules: [[{ is: "notrack" }]] },
    {
      kind: "chain",
      name: input,
      rules: [[{ is: "synproxy", mss, wscale: wscale ?? 0, timestamp, sackPerm }], [{ is: "drop" }]],
    },
    ...keys(model).flatMap((key) => [tierElement("prerouting", key, prerouting), tierElement("input", key, input)]),
  ];
  return {
    layouts: [SYNPROXY_LAYOUT.name],
    wanted: [
      ...model.match.destinations.map((key) => shared({ kind: "element", of: PROTECTED, key })),
      ...SYSCTLS.map(shared),
      ...objects.map(own),
    ],
  };
}

/** nf_conntrack-sysctl.rst, ip-sysctl.rst; without loose=0 the client's ACK is taken up as a new connection. */
const SYSCTLS = [
  sysctl("net.netfilter.nf_conntrack_tcp_loose", 0),
  sysctl("net.ipv4.tcp_syncookies", 1, 2),
  sysctl("net.ipv4.tcp_timestamps", 1, 2),
];

function keys({ match }: SynproxyRuleModel): TierKey[] {
  return (match.interfaces ?? [undefined]).flatMap((iface) =>
    match.destinations.flatMap((address) =>
      match.ports.map((port) => ({ ...(iface === undefined ? {} : { iface }), address, port: port.toString() })),
    ),
  );
}
