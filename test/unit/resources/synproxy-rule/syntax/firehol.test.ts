import { parseAll } from "../../../../../provider/resources/synproxy-rule/syntax";
import { argsOf, caretsOf, notesOf, refusal } from "./support";

const RULE = "ipv4 synproxy input inface eth0 dst 192.0.2.1 dport 80";
const rule = (rest: string, ...lines: string[]) => argsOf([...lines, `${RULE} ${rest}`].join("\n"));
const match = (conditions: string) => argsOf(`synproxy input inface eth0 ${conditions}`).match;

test.each([
  ["ipv4 synproxy", "ipv4", "192.0.2.1"],
  ["ipv6 synproxy", "ipv6", "2001:db8::1"],
  ["both synproxy", "both", "192.0.2.1,2001:db8::1"],
  ["ipv46 synproxy", "both", "192.0.2.1"],
  ["synproxy4", "ipv4", "192.0.2.1"],
  ["synproxy6", "ipv6", "2001:db8::1"],
  ["synproxy46", "both", "2001:db8::1"],
  ["synproxy", undefined, "2001:db8::1"],
])("%s is for %s", (command, family, dst) => {
  const args = argsOf(`${command} input inface eth0 dst ${dst} dport 80 accept`);
  expect(args.family).toBe(family);
  expect(args.match.destinations).toEqual(dst.split(","));
});

test.each([
  ["input", "input"],
  ["in", "input"],
  ["forward", "forward"],
  ["pass", "forward"],
  ["INPUT", "input"],
])("%s is the chain %s", (word, chain) => {
  expect(argsOf(`ipv4 synproxy ${word} inface eth0 dst 192.0.2.1 accept`).chain).toBe(chain);
});

test.each<[string, object]>([
  ["dst 192.0.2.1,192.0.2.2", { destinations: ["192.0.2.1", "192.0.2.2"] }],
  ['dst "192.0.2.1 192.0.2.2"', { destinations: ["192.0.2.1", "192.0.2.2"] }],
  ["dst 192.0.2.0/28", { destinations: ["192.0.2.0/28"] }],
  ["dst 192.0.2.1-192.0.2.9", { destinations: ["192.0.2.1-192.0.2.9"] }],
  ["dst not 192.0.2.1", { notDestinations: ["192.0.2.1"] }],
  ["dst ! 192.0.2.1", { notDestinations: ["192.0.2.1"] }],
  ["dst any", {}],
  ["dst4 192.0.2.1 dst6 2001:db8::1", { destinations: ["192.0.2.1", "2001:db8::1"] }],
  ["dst any src 10.0.0.0/8", { sources: ["10.0.0.0/8"] }],
  ["dst any src not 10.0.0.0/8", { notSources: ["10.0.0.0/8"] }],
  ["dst any src4 not 10.0.0.0/8 src6 NOT fc00::/7", { notSources: ["10.0.0.0/8", "fc00::/7"] }],
  ["dst any dport 80,443", { ports: [80, 443] }],
  ['dst any dport "80 443"', { ports: [80, 443] }],
  ["dst any dport 8000:8080", { ports: ["8000-8080"] }],
  ["dst any dport 8000-8080,22", { ports: ["8000-8080", 22] }],
  ["dst any dport 1024:", { ports: ["1024-65535"] }],
  ["dst any dport :1023", { ports: ["1-1023"] }],
  ["dst any dport http,https", { ports: [80, 443] }],
  ["dst any dport not 22", { notPorts: [22] }],
  ["dst any proto tcp", {}],
  ["dst any protocol TCP", {}],
])("%s", (conditions, expected) => {
  expect(match(conditions)).toEqual({ interfaces: ["eth0"], ...expected });
});

test.each<[string, object]>([
  ["inface eth0", { interfaces: ["eth0"] }],
  ['inface "eth0 eth1"', { interfaces: ["eth0", "eth1"] }],
  ["inface eth0,eth1", { interfaces: ["eth0", "eth1"] }],
  ["inface not eth2", { notInterfaces: ["eth2"] }],
  ["inface any", {}],
])("%s", (conditions, expected) => {
  expect(argsOf(`synproxy in ${conditions} dst any`).match).toEqual(expected);
});

const trap = { trap: { set: "scanners", timeout: "1h" } };

test.each<[string, unknown]>([
  ["", "accept"], // FireHOL's default
  ["accept", "accept"],
  ["ACCEPT", "accept"],
  ["drop", "drop"],
  ["deny", "drop"],
  ["reject", "reject"],
  ["reject with tcp-reset", "reject"],
  ["action accept", "accept"],
  ["action DROP", "drop"],
  ["action REJECT", "reject"],
  ["redirect to 90", { redirect: 90 }],
  ["redirect 90", { redirect: 90 }],
  ["redirect to-port 90", { redirect: 90 }],
  ["dnat to 10.1.1.1:8080", { dnat: { to: "10.1.1.1:8080" } }],
  ["dnat 10.1.1.1", { dnat: { to: "10.1.1.1" } }],
  ["dnat to :8080", { dnat: { to: ":8080" } }],
  ["dnat to 10.1.1.1-10.1.1.9 --persistent", { dnat: { to: "10.1.1.1-10.1.1.9", persistent: true } }],
  ["action TRAP", trap],
])("%s is the action %j", (words, action) => {
  expect(argsOf(`${RULE} ${words}`, { actions: { TRAP: trap } }).action).toEqual(action);
});

test("the caller's meaning of an action goes before FireHOL's", () => {
  expect(argsOf(`${RULE} action DROP`, { actions: { DROP: trap } }).action).toEqual(trap);
  expect(argsOf(`${RULE} drop`, { actions: { drop: trap } }).action).toBe("drop");
});

test("DNAT to IPv6 with a port", () => {
  const text = "ipv6 synproxy input inface eth0 dst 2001:db8::1 dnat to [2001:db8::9]:8080";
  expect(argsOf(text).action).toEqual({ dnat: { to: "[2001:db8::9]:8080" } });
});

describe("options of the action", () => {
  test.each<[string, object]>([
    ["connlimit upto 20", { connectionLimit: { max: 20, per: "source" } }],
    ["connlimit upto 20 saddr mask 24", { connectionLimit: { max: 20, per: { ipv4: 24 } } }],
    ["connlimit upto 20 mask 0", { connectionLimit: { max: 20, per: "rule" } }],
    ["connlimit daddr upto 2000", { connectionLimit: { max: 2000, per: "rule" } }],
    ["iplimit upto 5", { connectionLimit: { max: 5, per: "source" } }],
    ["with connlimit upto 20", { connectionLimit: { max: 20, per: "source" } }],
    ["limit 10/second 20", { rateLimit: { rate: "10/second", burst: 20 } }],
    ["limit 10 20", { rateLimit: { rate: "10/second", burst: 20 } }],
    ["with limit 10/min 20 overflow drop", { rateLimit: { rate: "10/min", burst: 20 } }],
    ["hashlimit web upto 5/s", { rateLimit: { rate: "5/s", burst: 5, per: "source" } }],
    ["hashlimit web upto 5/s mode dstip burst 9", { rateLimit: { rate: "5/s", burst: 9, per: "rule" } }],
    ["with hashlimit w mode srcip srcmask 24 upto 5/s", { rateLimit: { rate: "5/s", burst: 5, per: { ipv4: 24 } } }],
    ['log "WEB "', { log: { prefix: "WEB ", level: "warn" } }],
    ['connlog "WEB "', { log: { prefix: "WEB ", level: "warn" } }],
    ["log WEB level info", { log: { prefix: "WEB", level: "info" } }],
    ["loglimit WEB level 3", { log: { prefix: "WEB", level: "err", rate: "1/second", burst: 5 } }],
    [
      "loglimit WEB connlimit upto 2 limit 1/second 5",
      {
        log: { prefix: "WEB", level: "warn", rate: "1/second", burst: 5 },
        connectionLimit: { max: 2, per: "source" },
        rateLimit: { rate: "1/second", burst: 5 },
      },
    ],
  ])("%s", (options, expected) => {
    for (const action of ["accept", "dnat to 10.1.1.1 persistent", "redirect to 90"])
      expect(rule(`${action} ${options}`)).toMatchObject(expected);
  });

  test("a mask of an IPv6 statement is one for IPv6, of one for both it is for both", () => {
    const limited = (head: string) => argsOf(`${head} input inface any dst any accept connlimit upto 9 mask 32`);
    expect(limited("ipv6 synproxy").connectionLimit).toEqual({ max: 9, per: { ipv6: 32 } });
    expect(limited("both synproxy").connectionLimit).toEqual({ max: 9, per: { ipv4: 32, ipv6: 32 } });
  });

  test("a log before the action is one of the handshake", () => {
    expect(argsOf("ipv4 synproxy input inface eth0 loglimit SYN dst 192.0.2.1").logHandshake).toEqual({
      prefix: "SYN",
      rate: "1/second",
      burst: 5,
      level: "warn",
    });
  });

  test.each([
    ["connlimit upto 20", "connlimit counts the connections to all services of the host"],
    ["log WEB", "at most 10 lines a second are logged"],
    ["hashlimit web upto 5/s", 'what other statements count as "web" is not counted here'],
    ["with limit 1/s 5", "what is above the limit is dropped, not rejected"],
    ["with limit 1/s 5 overflow reject", "what is above the limit is dropped, not rejected"],
  ])("%s: told that %s", (options, told) => {
    expect(notesOf(`${RULE} accept ${options}`)).toEqual([expect.stringContaining(told)]);
  });
});

describe("variables", () => {
  test("without any, the options are FireHOL's", () => {
    expect(rule("accept").options).toEqual({ mss: 1460, wscale: 7, timestamp: true, sackPerm: true });
    expect(rule("accept").logHandshake).toBeUndefined();
  });

  test.each<[string, object, string[]]>([
    ["--timestamp --wscale 10 --mss 1440", { timestamp: true, wscale: 10, mss: 1440 }, []],
    ["timestamp wscale 10 mss 1440 sack-perm", { timestamp: true, wscale: 10, mss: 1440, sackPerm: true }, []],
    ["--mss 1460 --wscale 7", { mss: 1460 }, ["wscale 7 is left out"]],
    ["--timestamp --mss 1460", { timestamp: true, mss: 1460 }, ["wscale 7 is announced"]],
    ["--timestamp --wscale 7", { timestamp: true, wscale: 7 }, ["mss 1460 is announced"]],
  ])("FIREHOL_SYNPROXY_OPTIONS=%j", (value, options, told) => {
    const text = `FIREHOL_SYNPROXY_OPTIONS="${value}"\n${RULE} accept`;
    expect(argsOf(text).options).toEqual(options);
    expect(notesOf(text)).toEqual(told.map((part) => expect.stringContaining(part) as string));
    expect(argsOf(`${RULE} accept`, { variables: { FIREHOL_SYNPROXY_OPTIONS: value } }).options).toEqual(options);
  });

  test("they hold from where they are assigned, and what the caller gives goes before", () => {
    const text = `${RULE} accept\nexport FIREHOL_SYNPROXY_LOG=1 # now\n${RULE} accept`;
    expect(parseAll(text).rules.map((r) => r.logHandshake !== undefined)).toEqual([false, true]);
    const variables = { FIREHOL_SYNPROXY_LOG: "0" };
    expect(parseAll(text, { variables }).rules.map((r) => r.logHandshake !== undefined)).toEqual([false, false]);
  });

  test("logs take FireHOL's rate, level and prefix", () => {
    const lines = [
      "FIREHOL_LOG_FREQUENCY=3/minute FIREHOL_LOG_BURST=9",
      "FIREHOL_LOG_LEVEL=debug",
      "FIREHOL_LOG_PREFIX='fw '",
    ];
    expect(rule("accept loglimit web", ...lines, "FIREHOL_SYNPROXY_LOG=1")).toMatchObject({
      log: { prefix: "fw web", rate: "3/minute", burst: 9, level: "debug" },
      logHandshake: { rate: "3/minute", burst: 9, level: "debug" },
    });
  });

  test("a text's own variables are its words", () => {
    const text = `WAN=eth0; VIPS="192.0.2.1 192.0.2.2"\nipv4 synproxy input inface $WAN dst "\${VIPS}" dport 80 accept`;
    expect(argsOf(text).match).toEqual({ interfaces: ["eth0"], destinations: ["192.0.2.1", "192.0.2.2"], ports: [80] });
  });

  test("what only bash can compute is given by the caller", () => {
    const text = `WAN_IP="$(ip -4 addr show eth0 | awk '{ print $2 }')"\nipv4 synproxy in inface eth0 dst $WAN_IP accept`;
    expect(argsOf(text, { variables: { WAN_IP: "192.0.2.7" } }).match.destinations).toEqual(["192.0.2.7"]);
    expect(refusal(text).error.reason).toContain('give it as variables: { WAN_IP: "..." }');
  });

  test("FireHOL's lists of networks follow the statement's family", () => {
    const lists = (head: string, name = "UNROUTABLE_IPS") =>
      argsOf(`${head} input inface any dst any src not "\${${name}}"`).match.notSources ?? [];
    expect(lists("ipv4 synproxy")).toContain("172.16.0.0/12");
    expect(lists("ipv4 synproxy").some((network) => network.includes(":"))).toBe(false);
    expect(lists("ipv6 synproxy")).toContain("fc00::/7");
    expect(lists("both synproxy")).toEqual([...lists("ipv4 synproxy"), ...lists("ipv6 synproxy")]);
    expect(lists("both synproxy", "PRIVATE_IPV6")).toEqual(["fc00::/7", "fe80::/10"]);
    expect(argsOf('synproxy in inface any src not "$PRIVATE_IPS" dst 192.0.2.1').match.notSources).not.toContain(
      "fc00::/7",
    );
    const variables = { UNROUTABLE_IPS: "10.0.0.0/8" };
    expect(notesOf('ipv4 synproxy in inface any dst any src not "$UNROUTABLE_IPS"', { variables })).toEqual([]);
    expect(notesOf('ipv4 synproxy in inface any dst any src not "$UNROUTABLE_IPS"')).toEqual([
      expect.stringContaining("the list of FireHOL 3.1.7"),
    ]);
  });

  test("those of the host become arguments of a ConntrackTuning", () => {
    const text = `FIREHOL_CONNTRACK_LOOSE_MATCHING=0
      FIREHOL_TCP_TIMESTAMPS=2
      FIREHOL_TCP_SYN_COOKIES=1
      FIREHOL_CONNTRACK_MAX=1048576
      FIREHOL_CONNTRACK_HASHSIZE=262144`;
    const conntrackTuning = {
      tcpLoose: false,
      timestamps: "noOffset",
      synCookies: true,
      max: 1048576,
      buckets: 262144,
    };
    expect(parseAll(text)).toEqual({ rules: [], conntrackTuning, notes: [] });
    expect(parseAll(`${text}\n${RULE}`).conntrackTuning).toEqual(conntrackTuning);
    expect(parseAll(RULE).conntrackTuning).toBeUndefined();
    expect(parseAll("FIREHOL_CONNTRACK_MAX=").conntrackTuning).toBeUndefined();
  });

  test("values that SYNPROXY cannot stand are left out beside a rule, as FireHOL overrides them", () => {
    const text = "FIREHOL_CONNTRACK_LOOSE_MATCHING=1\nFIREHOL_TCP_TIMESTAMPS=0\nFIREHOL_TCP_SYN_COOKIES=0";
    expect(parseAll(text).conntrackTuning).toEqual({ tcpLoose: true, timestamps: false, synCookies: false });
    const { conntrackTuning, notes } = parseAll(`${text}\n${RULE}`);
    expect(conntrackTuning).toBeUndefined();
    expect(notes).toHaveLength(3);
    expect(notes[0]).toContain("FIREHOL_CONNTRACK_LOOSE_MATCHING=1 is left out: FireHOL overrides it");
  });

  test("other variables of FireHOL's are told of, a text's own are not", () => {
    expect(notesOf(`FIREHOL_LOG_MODE=NFLOG\nmine=1\n${RULE}`)).toEqual([
      "line 1, column 1: FIREHOL_LOG_MODE is not about SYNPROXY and is not taken over",
    ]);
  });
});

describe("an error points at the word", () => {
  const at = "ipv4 synproxy input inface eth0 dst 192.0.2.1";
  test.each([
    // the frame
    ["«ipv4»", "begins neither a line of ALOHA's"],
    ["ipv4 «synproxy»", "is the last word; input or forward must follow"],
    ["ipv4 synproxy «output» inface eth0", "is not input (in) or forward (pass)"],
    ["ipv4 synproxy «input,forward» inface eth0", "is two chains; write a statement for each"],
    ["ipv4 «synproxi» input", "begins neither a line of ALOHA's"],
    ["«for» i in 1 2; do synproxy in dst $i; done", "begins neither a line of ALOHA's"],
    ["ipv4 «synproxy» input dst 192.0.2.1 accept", "FireHOL needs inface"],
    ["ipv4 «synproxy» input inface eth0 dport 80 accept", "FireHOL needs dst: the server's address"],
    ["FIREHOL_SYNPROXY_EXCLUDE_OWNER=1\nipv4 «synproxy» in inface eth0 dport 80", "without dst FireHOL needs"],
    [`${at} accept; «ipv4» synproxy in inface eth0 dst 192.0.2.2`, "this is a second rule"],
    // addresses
    ["ipv4 synproxy input inface eth0 dst «192.0.2.300»", "is not an address"],
    ["ipv4 synproxy input inface eth0 dst 192.0.2.1,«www.example.com»", "is not an address"],
    ['ipv4 synproxy input inface eth0 dst "192.0.2.1 «2001:db8::1»"', "is an IPv6 address, and this is for IPv4"],
    ["ipv6 synproxy input inface eth0 dst «192.0.2.1»", "is an IPv4 address, and this is for IPv6"],
    ["both synproxy input inface eth0 dst4 «2001:db8::1»", "is an IPv6 address, and this is for IPv4"],
    ["ipv4 synproxy input inface eth0 «dst6» 2001:db8::1", "the statement is for ipv4 alone"],
    ["both synproxy in inface eth0 dst4 192.0.2.1 «dst6» not 2001:db8::1", "must both have not, or neither"],
    [`${at} «dst» 192.0.2.2`, "is given already; write a list"],
    [`${at} src «ipset:bad»`, "let a trap fill a set and name it in denySources"],
    [`${at} «ipset» bad src`, "let a trap fill a set and name it in denySources"],
    ["ipv4 synproxy input inface eth0 dst «''»", "dst has an empty list"],
    ["ipv4 synproxy input inface eth0 dst «$VIP»", "the variable VIP has no value here"],
    ["ipv4 synproxy input inface eth0 dst «$(dig x)»", "commands and calculations are not run"],
    [`${at} src not «any»`, "nothing is left to match"],
    [`ipv4 synproxy input inface eth0 dst not «0.0.0.0/0»`, "nothing is left to match"],
    ['ipv4 synproxy input inface eth0 dst «"»192.0.2.1', "this quote has no end"],
    // interfaces and ports
    ["ipv4 synproxy input inface «ppp+» dst 192.0.2.1", "name the interfaces one by one"],
    ["ipv4 synproxy input inface «eth0/1» dst 192.0.2.1", "is not an interface name"],
    [`${at} dport 80,«70000»`, "a port is a whole number from 1 to 65535"],
    [`${at} dport «90:80»`, "the range ends before it begins"],
    [`${at} dport «gopher»`, "give its number"],
    [`${at} dport «:»`, "is not a port"],
    [`${at} dport «not»`, "is the last word"],
    // what no arguments stand for
    [`${at} «outface» eth1`, "name that by dst instead"],
    [`${at} «sport» 1024:`, "a client's port is any"],
    [`${at} «mac» 00:01:02:03:04:05`, "name clients by src"],
    [`${at} «custom» "--tos 3"`, "iptables' own options are not read"],
    [`${at} «MARK» 5`, "marks are not matched"],
    [`${at} proto «udp»`, "SYNPROXY is for TCP alone"],
    [`${at} «connlimit» upto 5 accept`, "goes behind the action"],
    [`${at} «iface» eth0`, "FireHOL writes inface"],
    [`${at} «dstport» 80`, "FireHOL writes dport"],
    [`${at} «source» 10.0.0.1`, "FireHOL writes src"],
    [`${at} «tarpit»`, "an action of your own is written: action NAME"],
    [`${at} «toString»`, "is no word of a synproxy statement"],
    // actions
    [`${at} action «TRAP_AND_DROP»`, "actions: { TRAP_AND_DROP: { trap:"],
    [`${at} action «constructor»`, "what this action does is not known here"],
    [`${at} «action»`, "is the last word; the name of an action must follow"],
    [`${at} redirect «to»`, "is the last word; a port must follow"],
    [`${at} redirect to «90-99»`, "redirect leads to one port"],
    [`${at} redirect to «0»`, "redirect is a whole number from 1 to 65535"],
    [`${at} redirect to 90 «persistent»`, "redirect leads to one port"],
    ["ipv4 synproxy forward inface eth0 dst 192.0.2.1 redirect to «90»", "redirect leads to a port of the balancer"],
    [`${at} dnat to «web1»`, "where to is an address or a range"],
    [`${at} dnat to «10.1.1.1/30»`, "servers have no weights"],
    [`${at} dnat to 10.1.1.1,«10.1.1.2»`, "several servers are one range here"],
    [`${at} dnat to «2001:db8::9»`, "cannot change from one protocol to the other"],
    [`${at} dnat to :90 «persistent»`, "only the port changes"],
    [`${at} dnat to 10.1.1.1 «random»`, "not drawn at random"],
    [`${at} dnat to 10.1.1.1 loglimit x «persistent»`, "goes right behind the address of dnat"],
    [`${at} reject with «net-unreach»`, "can only be reset; write reject alone"],
    [`${at} accept «drop»`, "has its action already"],
    [`${at} accept «src» 10.0.0.0/8`, "goes before the action"],
    [`${at} accept «dst» 192.0.2.2`, "write a second statement for those, with drop"],
    // options of the action
    [`${at} accept «connlimit»`, "connlimit is written: connlimit upto NUMBER"],
    [`${at} accept connlimit «above» 5`, "write upto"],
    [`${at} accept connlimit upto «many»`, "is a whole number"],
    [`${at} accept connlimit upto «0»`, "max is a whole number from 1"],
    [`${at} accept connlimit upto 5 mask «64»`, "is longer than an address"],
    ["ipv4 synproxy in inface any dst 192.0.2.0/28 accept connlimit upto 5 «daddr»", "counts for each destination"],
    [`${at} accept limit «10/second»`, "is the last word; a burst must follow"],
    [`${at} accept limit «10/fortnight» 5`, 'a rate is a text like "2000/second"'],
    [`${at} accept limit 10/second «0»`, "burst is a whole number from 1"],
    [`${at} accept hashlimit x upto «512kb/s»`, "bytes are not limited"],
    [`${at} dport 80 accept hashlimit x upto 5/s mode srcip,«srcport»`, "cannot be counted by"],
    [`${at} dport 80,81 accept «hashlimit» x upto 5/s`, "without a mode counts for each port"],
    [`${at} accept hashlimit x upto 5/s «htable-size» 9`, "leave it out"],
    [`${at} accept with «knock» x`, "is not kept by a rule"],
    [`${at} accept with limit 1/s 5 overflow «tarpit»`, "what is above a limit is dropped"],
    [`${at} accept limit 1/s 5 «limit» 2/s 5`, "is given already"],
    [`${at} accept log x level «loud»`, "is no level of syslog"],
    [`${at} accept log «'a\\b'»`, "prefix has no quotes, backslashes"],
    [`${at} accept «log»`, "is the last word; a text must follow"],
    // variables
    ["FIREHOL_SYNPROXY_OPTIONS='--mss «10»'\n" + at, "mss is a whole number from 88"],
    ["FIREHOL_SYNPROXY_OPTIONS='«--ecn» --timestamp'\n" + at, "cannot offer ECN"],
    ["FIREHOL_SYNPROXY_OPTIONS='«--ttl» 5'\n" + at, "is no option of SYNPROXY"],
    ["FIREHOL_SYNPROXY_LOG=«yes»\n" + at, "FIREHOL_SYNPROXY_LOG is 0 or 1"],
    ["FIREHOL_SYNPROXY_LOG=«$(nproc)»\n" + at, "commands and calculations are not run"],
    ["FIREHOL_LOG_FREQUENCY=«often»\n" + `${at} accept loglimit x`, 'a rate is a text like "2000/second"'],
    ["FIREHOL_CONNTRACK_MAX=«9000»\n" + at, "this is about the host"],
    ["FIREHOL_TCP_TIMESTAMPS=«on»\n" + at, "FIREHOL_TCP_TIMESTAMPS is 0 or 1 or 2"],
    ["«X+=1»\n" + at, "write the whole value"],
    ["X=1 «ipv4» synproxy in", "write an assignment on a line of its own"],
  ])("%s: %s", (marked, reason) => {
    const { error, carets } = refusal(marked);
    expect(error.reason).toContain(reason);
    expect(carets).toBe(caretsOf(marked));
  });

  test("over several lines it shows the one of the word", () => {
    const { error } = refusal(`# web\n${RULE} \\\n    dnat to «web1» \\\n    persistent`);
    expect(error.message.split("\n").slice(1)).toEqual(["      dnat to web1 \\", "              ^^^^"]);
    expect(error).toMatchObject({ name: "RuleSyntaxError", line: 3, column: 13 });
  });

  test("what the model says of the host's values", () => {
    expect(() => parseAll("FIREHOL_CONNTRACK_MAX=99999999999")).toThrow(/line 1, column 23: .*max/);
  });
});
