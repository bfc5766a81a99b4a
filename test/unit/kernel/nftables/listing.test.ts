import fc from "fast-check";

import { parseTables } from "../../../../provider/kernel/nftables/listing";
import { type NftObject, nftId, nftText } from "../../../../provider/kernel/nftables/objects";

/** A ruleset's objects in table inet lbshield, by id. */
const read = (listing: string): Record<string, string> => asText(parseTables(listing, "inet", "lbshield"));
const asText = (objects: readonly NftObject[]): Record<string, string> =>
  Object.fromEntries(objects.map((o) => [nftId(o), nftText(o)]));

/** nft indents by tabs; two spaces here are one. Lines that continue elements stand behind three tabs and five spaces. */
const tabs = (text: string): string => text.replace(/^( {2})+/gm, (spaces) => "\t".repeat(spaces.length / 2));
const table = (body: string, head = "table inet lbshield"): string => tabs(`${head} {\n${body}\n}\n`);

describe("whose table", () => {
  const chain = (name: string) => `  chain ${name} {\n    accept\n  }`;

  test("is ours is told by family and name", () => {
    const listing = [
      table(chain("v4"), "table ip lbshield"),
      table(chain("v6"), "table ip6 lbshield"),
      table(chain("ours")),
      table(chain("lbshield"), "table inet operator"),
      table(chain("longer"), "table inet lbshield2"),
      table(chain("arp"), "table arp lbshield"),
    ].join("");
    expect(read(listing)).toEqual({ "chain ours": "accept" });
    expect(asText(parseTables(listing, "ip", "lbshield"))).toEqual({ "chain v4": "accept" });
  });

  test("there is none in an empty ruleset, and nothing in an empty table", () => {
    expect(read("")).toEqual({});
    expect(read("table inet lbshield {\n}\n")).toEqual({});
    expect(read(table('  comment "a table, with { braces }"'))).toEqual({});
  });

  test("comes in several parts, as a listing and its maps listed by name", () => {
    const whole = table("  map m {\n    type ipv4_addr : verdict\n  }\n\n  chain c {\n    accept\n  }");
    const part = table("  map m {\n    type ipv4_addr : verdict\n    elements = { 10.0.0.1 : drop }\n  }");
    expect(read(whole + part)).toEqual({
      "map m": "type ipv4_addr : verdict",
      "element m { 10.0.0.1 }": "drop",
      "chain c": "accept",
    });
  });
});

describe("a base chain", () => {
  test.each([
    [
      "type filter hook prerouting priority raw; policy accept;",
      "type filter hook prerouting priority -300; policy accept",
    ],
    ["type filter hook input priority filter - 5; policy drop;", "type filter hook input priority -5; policy drop"],
    [
      "type filter hook output priority raw - 5; policy accept;",
      "type filter hook output priority -305; policy accept",
    ],
    [
      "type filter hook input priority security + 7; policy accept;",
      "type filter hook input priority 57; policy accept",
    ],
    ["type route hook output priority mangle; policy accept;", "type route hook output priority -150; policy accept"],
    ["type nat hook output priority dstnat - 5; policy accept;", "type nat hook output priority -105; policy accept"],
    ["type nat hook output priority -105; policy accept;", "type nat hook output priority -105; policy accept"],
    [
      "type nat hook postrouting priority srcnat; policy accept;",
      "type nat hook postrouting priority 100; policy accept",
    ],
    ["type filter hook forward priority 0; policy accept;", "type filter hook forward priority 0; policy accept"],
    ["type filter hook forward priority filter;", "type filter hook forward priority 0; policy accept"],
    [
      'type filter hook ingress device "eth0" priority -500; policy drop;',
      'type filter hook ingress device "eth0" priority -500; policy drop',
    ],
    [
      "type filter hook ingress device eth0.100 priority filter; policy accept;",
      'type filter hook ingress device "eth0.100" priority 0; policy accept',
    ],
  ])("%s", (listed, text) => {
    expect(read(table(`  chain c {\n    ${listed}\n    tcp dport 22 accept\n    drop\n  }`))).toEqual({
      "chain c": `${text}; tcp dport 22 accept; drop`,
    });
  });

  test("named and numbered is the same chain", () => {
    const chain = (priority: string) =>
      table(`  chain c {\n    type filter hook input priority ${priority}; policy accept;\n  }`);
    expect(read(chain("filter - 5"))).toEqual(read(chain("-5")));
  });

  test("is not made of a rule that begins like one", () => {
    expect(parseTables(table("  chain c {\n    tcp dport 22 accept\n  }"), "inet", "lbshield")).toEqual([
      { kind: "chain", name: "c", rules: [[{ is: "foreign", text: "tcp dport 22 accept" }]] },
    ]);
  });

  test("has no comment: it cannot be changed in place and changes nothing", () => {
    const listed =
      '  chain c {\n    comment "ours; drop"\n    type filter hook input priority filter; policy accept;\n    drop\n  }';
    expect(read(table(listed))).toEqual({ "chain c": "type filter hook input priority 0; policy accept; drop" });
  });
});

describe("elements", () => {
  const set = (elements: string) => table(`  set s {\n    type ipv4_addr\n    elements = ${elements}\n  }`);
  const map = (elements: string) =>
    table(`  map m {\n    type ifname . ipv4_addr . inet_service : verdict\n    elements = ${elements}\n  }`);

  test("stand on one line or on several", () => {
    const expected = {
      "set s": "type ipv4_addr",
      "element s { 10.0.0.1 }": "",
      "element s { 10.0.0.2 }": "",
      "element s { 10.0.0.3 }": "",
    };
    expect(read(set("{ 10.0.0.1, 10.0.0.2, 10.0.0.3 }"))).toEqual(expected);
    expect(read(set("{ 10.0.0.1, 10.0.0.2,\n\t\t\t     10.0.0.3 }"))).toEqual(expected);
  });

  test("lead where their verdict says, IPv6 addresses and all", () => {
    expect(
      read(
        table(`  map v6 {
    type ipv6_addr . inet_service : verdict
    flags interval
    elements = { 2001:db8::/32 . 80 : goto a/b/c/d/input,
      ::1 . 1-5 : drop }
  }`),
      ),
    ).toEqual({
      "map v6": "type ipv6_addr . inet_service : verdict; flags interval",
      "element v6 { 2001:db8::/32 . 80 }": "goto a/b/c/d/input",
      "element v6 { ::1 . 1-5 }": "drop",
    });
  });

  test("lead to values in a map of values", () => {
    expect(
      read(table("  map n {\n    type ipv4_addr : ipv4_addr\n    elements = { 10.0.0.1 : 10.0.0.2 }\n  }")),
    ).toEqual({
      "map n": "type ipv4_addr : ipv4_addr",
      "element n { 10.0.0.1 }": "10.0.0.2",
    });
  });

  test.each([
    ["a comment", '10.0.0.1 comment "by hand"'],
    ["a comment with commas", '10.0.0.1 comment "by hand, at night, alone"'],
    ["a comment with braces", '10.0.0.1 comment "{ odd } }"'],
    ["a timeout", "10.0.0.1 timeout 1m"],
    ["a timeout and what is left of it", "10.0.0.1 timeout 1m expires 59s996ms"],
    ["what is left of the set's own timeout", "10.0.0.1 expires 59m59s996ms"],
    ["a counter", "10.0.0.1 counter packets 7 bytes 9"],
    ["when it was last used", "10.0.0.1 last used 5s"],
    ["all of it", '10.0.0.1 counter packets 0 bytes 0 timeout 1m expires 59s comment "a, {b}"'],
  ])("have no %s as part of their key", (_name, element) => {
    const expected = { "set s": "type ipv4_addr", "element s { 10.0.0.1 }": "", "element s { 10.0.0.2 }": "" };
    expect(read(set(`{ ${element}, 10.0.0.2 }`))).toEqual(expected);
    expect(read(set(`{ 10.0.0.2,\n\t\t\t     ${element} }`))).toEqual(expected);
  });

  test("lead to their verdict behind a comment that has a colon itself", () => {
    expect(read(map('{ "eth0" . 10.0.0.1 . 80 comment "no : way, {x}" : accept }'))).toMatchObject({
      'element m { "eth0" . 10.0.0.1 . 80 }': "accept",
    });
  });

  test("may be of interfaces with names that look like nft", () => {
    const names = ["eth0", "drop", "a,b", "a}b", "a;b", "a\\b", "if@1", "counter"];
    const elements = names.map((n) => `"${n}" . 10.0.0.1 . 80 : goto x/y`).join(",\n\t\t\t     ");
    const found = parseTables(map(`{ ${elements} }`), "inet", "lbshield").filter((o) => o.kind === "element");
    expect(found.map((e) => e.key)).toEqual(names.map((n) => `"${n}" . 10.0.0.1 . 80`));
    expect(new Set(found.map((e) => e.value))).toEqual(new Set(["goto x/y"]));
  });

  test("are found however many there are, and wherever nft breaks the line", () => {
    const address = fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.9.${a.toString()}.${b.toString()}`);
    const separator = fc.constantFrom(", ", ",\n\t\t\t     ");
    fc.assert(
      fc.property(
        fc.uniqueArray(address, { minLength: 1, maxLength: 30 }),
        fc.infiniteStream(separator),
        (keys, seps) => {
          const text = keys.reduce((all, k) => `${all}${String(seps.next().value)}${k}`);
          const found = parseTables(set(`{ ${text} }`), "inet", "lbshield").filter((o) => o.kind === "element");
          expect(found.map((e) => e.key)).toEqual(keys);
        },
      ),
    );
  });
});

test("of a set, its size and timeout are part of it; what packets put there and what it counts are not", () => {
  expect(
    read(
      table(`  set a {
    type ipv4_addr
    size 100
    flags dynamic,timeout
    timeout 1h
    comment "type set"
    elements = { 10.0.0.1 timeout 1h expires 59m59s }
  }

  set b {
    typeof ip saddr . tcp dport
    counter
    elements = { 10.0.0.1 . 80 counter packets 0 bytes 0 }
  }`),
    ),
  ).toEqual({
    "set a": "type ipv4_addr; size 100; timeout 1h; flags dynamic,timeout",
    "set b": "typeof ip saddr . tcp dport",
    "element b { 10.0.0.1 . 80 }": "",
  });
});

/** `nft list ruleset` of nft 1.0.6, on Linux 6.18, of objects that this program does not make. */
const STRANGERS = table(`  comment "a table, with { braces }"
  counter hits {
    comment "x, y"
    packets 0 bytes 0
  }

  quota q {
    over 100 mbytes
  }

  synproxy sp {
    mss 1400
    wscale 3
    timestamp sack-perm
  }

  ct helper sip {
    type "sip" protocol udp
    l3proto ip
  }

  ct timeout ctt {
    protocol tcp
    l3proto ip
    policy = { established : 120, close : 20 }
  }

  chain x/y {
    tcp flags syn / fin,syn,rst,ack ct state invalid,new counter packets 0 bytes 0 accept comment "one : two"
    ct state { invalid, new } accept
    tcp dport { 80, 443, 1000-2000 } accept
    synproxy name "sp"
    synproxy mss 1400 wscale 0 timestamp
  }`);

test("what we do not know is kept word for word, and is nobody's chain, set or map", () => {
  expect(read(STRANGERS)).toEqual({
    "counter hits": 'comment "x, y"; packets 0 bytes 0',
    "quota q": "over 100 mbytes",
    "synproxy sp": "mss 1400; wscale 3; timestamp sack-perm",
    "ct helper sip": 'type "sip" protocol udp; l3proto ip',
    "ct timeout ctt": "protocol tcp; l3proto ip; policy = { established : 120, close : 20 }",
    "chain x/y": [
      'tcp flags & (fin|syn|rst|ack) == syn ct state invalid,new counter accept comment "one : two"',
      "ct state invalid,new accept",
      "tcp dport { 80, 443, 1000-2000 } accept",
      'synproxy name "sp"',
      "synproxy mss 1400 wscale 0 timestamp",
    ].join("; "),
  });
});
