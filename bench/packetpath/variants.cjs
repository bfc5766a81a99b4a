"use strict";
// What is measured beside what, each as the commands that put it into a host, with their input.
const { lbshieldRules } = require("./layout.cjs");

const PORT = 80;
const OPTIONS = { mss: 1460, wscale: 7, timestamp: true, sackPerm: true };
const NFT_OPTIONS = "mss 1460 wscale 7 timestamp sack-perm";
const IFACE = "eth0"; // the clients' side; see cell.py

const nft = (text) => [[["nft", "-f", "-"], text]];
const join = (lines) => `${lines.join("\n")}\n`;

const chain = (name, hook, priority, rules) =>
  [`chain ${name} { type filter hook ${hook} priority ${priority}; policy accept;`, ...rules, "}"].join("\n");

const SYN = "tcp flags & (fin|syn|rst|ack) == syn";
const PROXY = `ct state invalid,untracked synproxy ${NFT_OPTIONS}`;

/** A notrack and a synproxy rule for each address, which `match` selects. The mask passes SYNs with ECN bits, and no SYN-ACK. */
const rulePerService = (family, match) => (addresses) => {
  const rules = (end) => addresses.map((address) => `${match(address)} ${end}`);
  return nft(
    join([
      `table ${family} peer {`,
      chain("prerouting", "prerouting", "raw", rules(`${SYN} notrack`)),
      chain("input", "input", "filter", rules(PROXY)),
      "}",
    ]),
  );
};

const byAddress = (address) => `ip daddr ${address} tcp dport ${PORT}`;

const MARK = "0x00002000/0x00002000";

/** `ipv4 synproxy input inface eth0 dst ADDRESS dport 80 accept` for each: what "firehol explain" says, word for word. */
function firehol(addresses) {
  const each = (rule) => addresses.map((a) => rule(a));
  const marked = `-m mark --mark ${MARK}`;
  const toServer = `${marked} -m conntrack --ctstate NEW`;
  const synproxy = "-j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460";
  const tables = {
    raw: [
      `-A PREROUTING ${marked} -j ACCEPT`,
      `-A OUTPUT ${marked} -j ACCEPT`,
      ...each((a) => `-A PREROUTING -i ${IFACE} -p tcp -d ${a} --dport ${PORT} -m tcp --syn -j CT --notrack`),
    ],
    mangle: each(
      (a) =>
        `-A OUTPUT -o lo -p tcp -d ${a} --dport ${PORT} -m conntrack --ctstate NEW -m tcp --syn -j MARK --set-mark ${MARK}`,
    ),
    nat: [`-A PREROUTING ${toServer} -j ACCEPT`, `-A OUTPUT ${toServer} -j ACCEPT`],
    filter: [
      ":SYNPROXY2SERVER_IN - [0:0]",
      ":SYNPROXY2SERVER_OUT - [0:0]",
      `-A INPUT ${toServer} -j SYNPROXY2SERVER_IN`,
      `-A OUTPUT ${toServer} -j SYNPROXY2SERVER_OUT`,
      ...addresses.flatMap((a) => [
        `-A INPUT -i ${IFACE} -p tcp -d ${a} --dport ${PORT} -m conntrack --ctstate INVALID,UNTRACKED ${synproxy}`,
        `-A OUTPUT -o ${IFACE} -p tcp -s ${a} --sport ${PORT} -m conntrack --ctstate INVALID,UNTRACKED -m tcp --tcp-flags SYN,RST,ACK SYN,ACK -j ACCEPT`,
        `-A SYNPROXY2SERVER_OUT -o lo -p tcp -d ${a} --dport ${PORT} -j ACCEPT`,
        `-A SYNPROXY2SERVER_IN -i lo -p tcp -d ${a} --dport ${PORT} -j ACCEPT`,
        `-A OUTPUT -o ${IFACE} -p tcp -s ${a} --sport ${PORT} -m conntrack --ctstate INVALID -m tcp --tcp-flags RST,ACK ACK -j DROP`,
      ]),
      // The orphans. FireHOL logs them as well.
      "-A SYNPROXY2SERVER_IN -j DROP",
      "-A SYNPROXY2SERVER_OUT -j DROP",
    ],
  };
  return join(Object.entries(tables).flatMap(([name, lines]) => [`*${name}`, ...lines, "COMMIT"]));
}

const restore = (tool) => (addresses) => [[[tool], firehol(addresses)]];

/** Rules for a list of services. Their cost is what is compared; `beside` is ours with the same matches. */
const LAYOUTS = {
  lbshield: { label: "lbshield", load: (addresses) => nft(lbshieldRules(addresses, PORT, OPTIONS)) },
  "lbshield-iface": {
    label: "lbshield, with an interface",
    load: (addresses) => nft(lbshieldRules(addresses, PORT, OPTIONS, [IFACE])),
  },
  // The same rules in three spellings: how many words of a rule the kernel reads before it knows that this is not it.
  nft: { label: "nft, a rule each, table ip", beside: "lbshield", load: rulePerService("ip", byAddress) },
  "nft-inet": { label: "nft, a rule each, table inet", beside: "lbshield", load: rulePerService("inet", byAddress) },
  "nft-iface": {
    label: "nft, a rule each, table inet, with an interface",
    beside: "lbshield-iface",
    load: rulePerService("inet", (address) => `iifname "${IFACE}" ${byAddress(address)}`),
  },
  "firehol-nft": {
    label: "FireHOL's rules with an interface, iptables-nft",
    beside: "lbshield-iface",
    needs: "iptables-nft-restore",
    load: restore("iptables-nft-restore"),
  },
  "firehol-legacy": {
    label: "FireHOL's rules with an interface, iptables-legacy",
    beside: "lbshield-iface",
    needs: "iptables-legacy-restore",
    load: restore("iptables-legacy-restore"),
  },
};

/** What no layout can be quicker than; the number of services does not matter to them. `stage`: where packets end. */
const FLOORS = {
  ingress: {
    label: "dropped at ingress",
    stage: "ingress",
    load: () => nft(join(["table netdev floor {", chain("in", `ingress device "${IFACE}"`, 0, ["drop"]), "}"])),
  },
  raw: {
    label: "dropped in raw prerouting",
    stage: "raw",
    load: () => nft(join(["table ip floor {", chain("in", "prerouting", "raw", ["drop"]), "}"])),
  },
  proxy: {
    label: "the proxy alone: every address, no dispatch",
    load: () =>
      nft(
        join([
          "table ip floor {",
          chain("in", "prerouting", "raw", [`${SYN} notrack`]),
          chain("proxy", "input", "filter", [PROXY]),
          chain("out", "output", "raw", ["tcp flags & (fin|syn|rst|ack) == (syn|ack) tcp window 0 notrack"]),
          "}",
        ]),
      ),
  },
};

/** Connections without a proxy. */
const OPEN = {
  none: { label: "no rules", open: true, load: () => [] },
  tracked: {
    label: "connections tracked, no proxy",
    open: true,
    load: () => nft(join(["table ip floor {", chain("in", "input", "filter", ["ct state invalid drop"]), "}"])),
  },
};

/** Different ones, so that a rule for each is needed. */
const addressesOf = (count) =>
  Array.from({ length: count }, (_, i) => `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`);

module.exports = { FLOORS, LAYOUTS, OPEN, addressesOf };
