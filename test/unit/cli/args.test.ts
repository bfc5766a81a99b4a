import { HELP, Usage, parseCommand } from "../../../cli/args";

const command = (line: string) => parseCommand(line.split(" ").filter((word) => word !== ""));

function refusal(line: string): string {
  try {
    command(line);
  } catch (error) {
    if (error instanceof Usage) return error.message;
    throw error;
  }
  throw new Error("it was not refused");
}

const way = (line: string) => {
  const parsed = command(line);
  if (!("way" in parsed)) throw new Error("it reaches no host");
  const { dialErrorLimit: _limit, ...rest } = parsed.way;
  return rest;
};

test.each([
  ["lb1", { host: "lb1" }],
  ["ops@lb1.example.net:2222", { host: "lb1.example.net", user: "ops", port: 2222 }],
  ["192.0.2.1:22", { host: "192.0.2.1", port: 22 }],
  ["[2001:db8::1]", { host: "2001:db8::1" }],
  ["root@[2001:db8::1]:2222", { host: "2001:db8::1", user: "root", port: 2222 }],
  ["a@b@lb1", { host: "lb1", user: "a@b" }],
])("a host: %s", (text, args) => {
  expect(way(`ledger ${text}`)).toEqual(args);
});

test("a bastion, and bastions behind it, in the order in which they are passed", () => {
  expect(way("ledger lb1 --proxy jump@bastion:2222")).toMatchObject({
    proxy: { host: "bastion", user: "jump", port: 2222 },
  });
  expect(way("ledger lb1 --proxy outer,ops@inner")).toMatchObject({
    proxy: { host: "inner", user: "ops", proxy: { host: "outer" } },
  });
});

test("a host's key may have a space in it", () => {
  const parsed = parseCommand(["ledger", "lb1", "--host-key", `SHA256:${"A".repeat(43)}`]);
  expect(parsed).toMatchObject({ way: { hostKey: `SHA256:${"A".repeat(43)}` } });
});

test("the state of orphans", () => {
  const asked = { do: "orphans", json: false, identity: undefined, purge: false, yes: false };
  expect(command("orphans lb1")).toMatchObject({ ...asked, state: { file: undefined, stack: undefined } });
  expect(command("orphans lb1 --stack prod --json")).toMatchObject({
    ...asked,
    json: true,
    state: { file: undefined, stack: "prod" },
  });
  expect(command("orphans --state - --stack edge/prod lb1 --purge -y -i key")).toMatchObject({
    ...asked,
    state: { file: "-", stack: "edge/prod" },
    purge: true,
    yes: true,
    identity: "key",
  });
});

test("without a state, orphans is the ledger", () => {
  expect(command("orphans lb1 --all --json")).toEqual(command("ledger lb1 --json"));
});

test("help and version need nothing else, and win", () => {
  expect(command("--help")).toEqual({ do: "help" });
  expect(command("orphans -h")).toEqual({ do: "help" });
  expect(command("--version")).toEqual({ do: "version" });
  for (const option of ["--host-key", "--proxy", "--identity", "--stack", "--state", "--all", "--purge", "--yes"])
    expect(HELP).toContain(option);
});

test.each([
  ["", "no command was given"],
  ["orfans lb1", 'there is no command "orfans"'],
  ["orphans", "orphans needs a HOST"],
  ["ledger lb1 lb2", "one HOST at a time: what is lb2?"],
  ["ledger 2001:db8::1", "an IPv6 address stands in brackets: [2001:db8::1]"],
  ["ledger ops@2001:db8::1", "an IPv6 address stands in brackets: ops@[2001:db8::1]"],
  ["ledger lb1:ssh", '"lb1:ssh" is not [USER@]NAME[:PORT]'],
  ["ledger ops@", '"ops@" is not [USER@]NAME[:PORT]'],
  ["ledger @lb1", 'user: "": user is empty'],
  ["ledger lb1:65536", "port: 65536: port is a whole number from 1 to 65535"],
  ["ledger lb1 --host-key nonsense", 'hostKey: "nonsense": hostKey is a key'],
  ["ledger lb1 --proxy a,b,c,d", "three bastions in a row are the most"],
  ["ledger lb1 --purge", "--purge means nothing to ledger"],
  ["ledger lb1 --all", "--all means nothing to ledger"],
  ["orphans lb1 --all --purge", "--purge means nothing to orphans --all"],
  ["orphans lb1 --all --stack prod", "--stack means nothing to orphans --all"],
  ["orphans lb1 --yes", "--yes means nothing without --purge"],
  ["orphans lb1 --bananas", "Unknown option '--bananas'"],
  ["orphans lb1 --state", "Option '--state <value>' argument missing"],
])("refused: %s", (line, message) => {
  expect(refusal(line)).toContain(message);
});
