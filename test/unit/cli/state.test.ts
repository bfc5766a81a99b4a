import { parseState } from "../../../cli/state";
import { UNKNOWN } from "../../../provider/wire";
import { deployment, inState } from "./support";

const parse = (state: unknown) => parseState(JSON.stringify(state));

const WEB = {
  name: "synproxy/shop/test/web",
  label: "SynproxyRule web (shop/test)",
  at: "lb1",
  pending: false,
  leaving: false,
};

test("an export, its deployment, a backend's file, and a list of resources are read alike", () => {
  const resources = [inState("SynproxyRule", "web")];
  const state = { stacks: ["shop/test"], resources: [WEB] };
  expect(parse(deployment(resources))).toEqual(state);
  expect(parse({ resources })).toEqual(state);
  expect(parse({ version: 3, checkpoint: { stack: "x", latest: { resources } } })).toEqual(state);
  expect(parse(resources)).toEqual(state);
});

test("a stack without resources", () => {
  expect(parse({ version: 3, deployment: { manifest: {} } })).toEqual({ stacks: [], resources: [] });
  expect(parse([])).toEqual({ stacks: [], resources: [] });
});

test("resources of others are passed over, and say whose the state is", () => {
  const stack = { urn: "urn:pulumi:test::shop::pulumi:pulumi:Stack::shop-test", type: "pulumi:pulumi:Stack" };
  const host = { urn: "urn:pulumi:test::shop::lbshield:index:Host::lb1", type: "lbshield:index:Host" };
  expect(parse(deployment([stack, host]))).toEqual({ stacks: ["shop/test"], resources: [] });
});

test("ports, IPv6 and names that nft does not take", () => {
  const [first, second] = parse([
    inState("ConntrackTuning", "a b", { connection: { host: "2001:db8::1", port: 2222 } }),
    inState("LoadBalancer", "x/y", { connection: { host: "2001:db8::1", port: 22 } }),
  ]).resources;
  expect(first?.at).toBe("[2001:db8::1]:2222");
  expect(first?.name).toMatch(/^conntrack\/shop\/test\/a_b-[0-9a-f]{8}$/);
  expect(second).toMatchObject({ at: "2001:db8::1", name: "lb/shop/test/x/y", label: "LoadBalancer x/y (shop/test)" });
});

test("the owner counts, not the URN: a stack that was renamed still has its resources", () => {
  const renamed = { ...inState("SynproxyRule", "web"), urn: "urn:pulumi:prod::shop::x::web" };
  expect(parse([renamed])).toEqual({ stacks: ["shop/prod"], resources: [WEB] });
});

test("a connection that is secret as a whole: the id tells", () => {
  const connection = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "v1:x" };
  const [first, second, third] = parse([
    inState("SynproxyRule", "web", { connection }),
    { ...inState("SynproxyRule", "web", { connection }), id: undefined },
    { ...inState("SynproxyRule", "web", { connection }), id: "synproxy/shop/test/web@[2001:db8::1]:2222" },
  ]).resources;
  expect(first?.at).toBe("lb1");
  expect(second?.at).toBeUndefined();
  expect(third?.at).toBe("[2001:db8::1]:2222");
});

test("what is not known yet is not taken for a name", () => {
  const pending = { ...inState("SynproxyRule", "web", { connection: { host: UNKNOWN } }), id: undefined };
  expect(parse([pending]).resources[0]?.at).toBeUndefined();
});

test("what is begun, what is to go", () => {
  const { resources } = parse(
    deployment(
      [{ ...inState("SynproxyRule", "web"), delete: true }],
      [
        { type: "creating", resource: inState("SynproxyRule", "api") },
        { type: "importing", resource: inState("SynproxyRule", "old") },
      ],
    ),
  );
  expect(resources.map((r) => [r.label, r.pending, r.leaving])).toEqual([
    ["SynproxyRule web (shop/test)", false, true],
    ["SynproxyRule old (shop/test)", false, false],
    ["SynproxyRule api (shop/test)", true, false],
  ]);
});

describe("not a state", () => {
  test.each([
    ["text", "secret: hunter2", "it is not JSON"],
    ["a number", "7", "it holds neither a deployment nor resources"],
    ["another object", '{"a": 1}', "it holds neither a deployment nor resources"],
    ["resources that are no list", '{"resources": {}}', "its resources are not a list"],
    ["no URN", '[{"type": "x"}]', "it has a resource without a URN"],
  ])("%s", (_name, text, message) => {
    expect(() => parseState(text)).toThrow(`read the state on this machine: ${message}`);
    expect(() => parseState(text)).not.toThrow("hunter2");
  });

  test("a resource of a later version", () => {
    expect(() => parse([inState("QuicShield", "q")])).toThrow(
      "it has a resource of the type QuicShield, which this version does not know",
    );
  });

  test("a resource that does not say whose it is", () => {
    expect(() => parse([{ ...inState("SynproxyRule", "web"), inputs: {} }])).toThrow(
      "nothing says whose this resource is: urn:pulumi:test::shop::",
    );
  });
});
