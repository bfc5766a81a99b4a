/** The examples of ALOHA's manual and of FireHOL's wiki, one by one, as they stand there. */
import { synproxyRule } from "../../../../../provider/resources/synproxy-rule/model";
import { parseAll } from "../../../../../provider/resources/synproxy-rule/syntax";
import { argsOf } from "./support";

const FIREHOL_OPTIONS = { mss: 1460, wscale: 7, timestamp: true, sackPerm: true };
const rulesOf = (...given: Parameters<typeof parseAll>) => {
  const parsed = parseAll(...given);
  parsed.rules.forEach((rule) => synproxyRule.parse(rule));
  return parsed;
};

describe("ALOHA", () => {
  test.each([80, 443])("a service of the balancer itself, port %i", (port) => {
    expect(argsOf(`input dst 10.0.0.1 dstport ${port.toString()} iface eth0 wscale 3`)).toEqual({
      chain: "input",
      match: { destinations: ["10.0.0.1"], ports: [port], interfaces: ["eth0"] },
    });
  });

  test.each([80, 443])("services behind the balancer, port %i", (port) => {
    expect(argsOf(`forward dstport ${port.toString()} iface eth0 wscale 3`)).toEqual({
      chain: "forward",
      match: { ports: [port], interfaces: ["eth0"] },
    });
  });

  test("the manual's blocks as a whole, with the settings of its services", () => {
    const text = `sysctl tcp_loose=0
      conntrack
      input dst 10.0.0.1 dstport 80 iface eth0 wscale 3
      input dst 10.0.0.1 dstport 443 iface eth0 wscale 3`;
    const { rules, conntrackTuning, notes } = rulesOf(text);
    expect(rules.map((rule) => rule.match.ports)).toEqual([[80], [443]]);
    expect(conntrackTuning).toEqual({
      tcpLoose: false,
      extra: { "net.ipv4.vs.conntrack": 1 },
      modules: { ip_vs: {} },
    });
    expect(notes).toEqual([
      expect.stringMatching(/^line 3, .*wscale 3 is left out/),
      expect.stringMatching(/^line 4, /),
    ]);
  });
});

describe("FireHOL", () => {
  const web = { destinations: ["1.2.3.4"], ports: [80], interfaces: ["eth0"] };
  const common = { chain: "input", family: "ipv4", options: FIREHOL_OPTIONS };

  test("a web server on the firewall", () => {
    const text = `ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 80 accept

interface eth0 wan
    server http accept
`;
    const { rules, notes } = rulesOf(text);
    expect(rules).toEqual([{ ...common, match: web, action: "accept" }]);
    expect(notes).toEqual([
      "line 3, column 1: interface is not about SYNPROXY and is not taken over",
      "line 4, column 5: server is not about SYNPROXY and is not taken over",
    ]);
  });

  test("on another port of the firewall", () => {
    const text = `server_myhttp_ports="tcp/90"
client_myhttp_ports="default"

ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 80 redirect to 90

interface eth0 wan
    server myhttp accept # packet filtering works with the real ports
`;
    expect(rulesOf(text).rules).toEqual([{ ...common, match: web, action: { redirect: 90 } }]);
  });

  test("on another machine, without NAT", () => {
    const text = `ipv4 synproxy forward inface eth0 dst 5.6.7.8 dport 80 accept

router wan2lan inface eth0 outface eth1
    server http accept dst 5.6.7.8
`;
    expect(rulesOf(text).rules).toEqual([
      { ...common, chain: "forward", match: { ...web, destinations: ["5.6.7.8"] }, action: "accept" },
    ]);
  });

  test("on another machine, with DNAT", () => {
    const text = `ipv4 synproxy input inface eth0 \\
    dst 1.2.3.4 dport 80 dnat to 10.1.1.1

router wan2lan inface eth0 outface eth1
    server http accept dst 10.1.1.1
`;
    expect(rulesOf(text).rules).toEqual([{ ...common, match: web, action: { dnat: { to: "10.1.1.1" } } }]);
  });

  test("on ten other machines", () => {
    const text = `ipv4 synproxy input inface eth0 \\
    dst 1.2.3.4 dport 80 dnat to 10.1.1.1-10.1.1.10 persistent

router wan2lan inface eth0 outface eth1
    server http accept dst 10.1.1.1-10.1.1.10
`;
    expect(rulesOf(text).rules).toEqual([
      { ...common, match: web, action: { dnat: { to: "10.1.1.1-10.1.1.10", persistent: true } } },
    ]);
  });

  const trap = { trap: { set: "trap", timeout: "1d" } };
  const actions = { TRAP_AND_DROP: trap };

  test("a trap on SSH's port, and SSH on another", () => {
    const text = `# definition of action TRAP_AND_DROP should be placed here
ipv4 action TRAP_AND_DROP sockets_suspects_trap 3600 86400 1 src not "\${UNROUTABLE_IPS}" next action DROP

# send ssh traffic to TRAP_AND_DROP
ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 22 action TRAP_AND_DROP

# accept ssh traffic on tcp/2200
ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 2200 redirect to 22

interface eth0 wan
    server ssh accept
`;
    expect(rulesOf(text, { actions }).rules).toEqual([
      { ...common, match: { ...web, ports: [22] }, action: trap },
      { ...common, match: { ...web, ports: [2200] }, action: { redirect: 22 } },
    ]);
  });

  test("a trap on another interface, or for other sources", () => {
    expect(argsOf("ipv4 synproxy input inface eth1 dst 1.2.3.4 dport 80 action TRAP_AND_DROP", { actions })).toEqual({
      ...common,
      match: { ...web, interfaces: ["eth1"] },
      action: trap,
    });
    expect(
      argsOf("ipv4 synproxy input inface eth1 src 198.51.100.0/24 dst 1.2.3.4 dport 80 action TRAP_AND_DROP", {
        actions,
      }).match,
    ).toEqual({ ...web, interfaces: ["eth1"], sources: ["198.51.100.0/24"] });
  });

  test("every target that dnat is said to take", () => {
    for (const to of ["10.1.1.1:90", "10.1.1.1-10.1.1.3:80-90", "10.1.1.1", ":90"])
      expect(argsOf(`ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 80 dnat to ${to}`).action).toEqual({
        dnat: { to },
      });
  });

  test("an address that is not known: EXCLUDE_OWNER and unroutable sources", () => {
    const text = `FIREHOL_SYNPROXY_EXCLUDE_OWNER=1
ipv4 synproxy input inface ppp0 src not "\${UNROUTABLE_IPS}" dport 80 accept`;
    const { match } = argsOf(text);
    expect(match.destinations).toBeUndefined();
    expect(match.notSources).toEqual(expect.arrayContaining(["10.0.0.0/8", "192.168.0.0/16", "127.0.0.0/8"]));
  });

  test("the variables, as the wiki writes them", () => {
    const text = `FIREHOL_SYNPROXY_OPTIONS="--sack-perm --timestamp --wscale 7 --mss 1460"
FIREHOL_SYNPROXY_LOG=1
ipv4 synproxy input inface eth0 dst 1.2.3.4 dport 80 accept loglimit "TEXT"`;
    expect(argsOf(text)).toEqual({
      ...common,
      match: web,
      action: "accept",
      log: { prefix: "TEXT", rate: "1/second", burst: 5, level: "warn" },
      logHandshake: { rate: "1/second", burst: 5, level: "warn" },
    });
  });
});
