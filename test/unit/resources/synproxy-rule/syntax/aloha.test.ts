import { argsOf, caretsOf, notesOf, refusal } from "./support";

test("every word of ALOHA's, in any order", () => {
  const expected = {
    chain: "forward",
    match: { destinations: ["10.0.0.0/8"], ports: ["8000-8080"], interfaces: ["eth0"] },
    options: { mss: 1400, wscale: 3, timestamp: true, sackPerm: true },
  };
  expect(argsOf("forward dst 10.0.0.0/8 iface eth0 dstport 8000-8080 wscale 3 mss 1400 sack-perm timestamp")).toEqual(
    expected,
  );
  expect(argsOf("forward timestamp dstport 8000:8080 mss 1400 iface eth0 sack-perm dst 10.0.0.0/8 wscale 3")).toEqual(
    expected,
  );
});

test("not goes before each condition", () => {
  expect(argsOf("input not dst 10.0.0.1 not iface eth1 not dstport 22").match).toEqual({
    notDestinations: ["10.0.0.1"],
    notInterfaces: ["eth1"],
    notPorts: [22],
  });
});

test("the chain alone is a rule for everything", () => {
  expect(argsOf("input")).toEqual({ chain: "input", match: {} });
});

test("an IPv6 address", () => {
  expect(argsOf("input dst 2001:db8::1 dstport 443").match.destinations).toEqual(["2001:db8::1"]);
});

test("what the kernel does not announce without timestamp is left out, and told", () => {
  expect(argsOf("input wscale 3 sack-perm mss 1400").options).toEqual({ mss: 1400 });
  expect(notesOf("input wscale 3 sack-perm mss 1400")).toEqual([
    "line 1, column 14: wscale 3 is left out: without timestamp the kernel does not announce it; add timestamp to have it",
    "line 1, column 16: sack-perm is left out: without timestamp the kernel does not announce it; add timestamp to have it",
  ]);
  expect(notesOf("input wscale 3 sack-perm timestamp")).toEqual([]);
});

test.each([
  ["input dst «10.0.0.1/24»", "has host bits: the network is 10.0.0.0/24"],
  ["input dst «10.0.0»", "is not an address"],
  ["input «dst»", "is the last word; an address or a network must follow"],
  ["input dst «not» 10.0.0.1", "ALOHA writes it before the condition: not dst"],
  ["input not «wscale» 3", "not goes before dst, iface or dstport"],
  ["input dst 10.0.0.1 «dst» 10.0.0.2", "is given already"],
  ["input dst 10.0.0.1,«10.0.0.2»", "not a list; write a line for each"],
  ["input dstport «0»", "a port is a whole number from 1 to 65535"],
  ["input dstport «90-80»", "the range ends before it begins"],
  ["input dstport «web»", "is not a port"],
  ["input iface «a-name-that-is-too-long»", "is too long"],
  ["input iface «eth+»", "name the interfaces one by one"],
  ["input «ecn»", "cannot offer ECN: nft has no word for it"],
  ["input timestamp «ecn»", "cannot offer ECN: nft has no word for it"],
  ["input wscale «15» timestamp", "wscale is a whole number from 0 to 14"],
  ["input wscale «15»", "wscale is a whole number from 0 to 14"],
  ["input wscale «3.5» timestamp", "wscale is a whole number"],
  ["input mss «70000»", "mss is a whole number from 88 to 65495"],
  ["input «src» 10.0.0.1", "no condition on clients; add match.sources"],
  ["input «dport» 80", "ALOHA writes dstport"],
  ["input «inface» eth0", "ALOHA writes iface"],
  ["input «frobnicate»", "ALOHA has no such word"],
  ["«output» dst 10.0.0.1", "begins neither a line of ALOHA's"],
  ["«constructor» dst 10.0.0.1", "begins neither a line of ALOHA's"],
  ["input «constructor»", "ALOHA has no such word"],
  ["input not dst 0.0.0.0/0\n«input»", "this is a second rule"],
  ["input dst 10.0.0.1\nsysctl «tcp_loose=0»", "this is about the host, not about a rule: parseAll"],
  ["sysctl «tcp_be_liberal=1»", "only tcp_loose=0 is about SYNPROXY"],
  ["sysctl tcp_loose=0 «x»", "nothing goes behind the value"],
  ["«# nothing»", "there is no ALOHA line and no synproxy statement here"],
  ["«sysctl»", "is the last word"],
])("%s: %s", (marked, reason) => {
  const { error, carets } = refusal(marked);
  expect(error.reason).toContain(reason);
  expect(carets).toBe(caretsOf(marked));
});

test("the message shows the line, with carets under the word; tabs stay", () => {
  const { error } = refusal("# comment\n\tinput  dst «10.0.0.1/24»  # comment");
  expect(error.message).toBe(
    [
      'line 2, column 13: "10.0.0.1/24": has host bits: the network is 10.0.0.0/24',
      "  \tinput  dst 10.0.0.1/24  # comment",
      "  \t           ^^^^^^^^^^^",
    ].join("\n"),
  );
});
