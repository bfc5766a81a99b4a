import { compile } from "../../../../provider/resources/conntrack-tuning/compile";
import { type ConntrackTuningModel, conntrackTuning } from "../../../../provider/resources/conntrack-tuning/model";
import { validate } from "../../../../provider/validate";
import { UNKNOWN } from "../../../../provider/wire";

const problems = (given: object, secret = false) => validate(conntrackTuning, given, { secret: () => secret }).problems;
const canonical = (given: object) => {
  const { value, problems: none } = validate(conntrackTuning, given, { secret: () => false });
  expect(none).toEqual([]);
  return value;
};
const sized = (given: object) =>
  compile("", canonical(given) as ConntrackTuningModel).wanted.map(({ object }) =>
    object.kind === "sysctl" ? [object.key.split("_").at(-1), object.value, object.memory?.bytes] : object,
  );

describe("sizes", () => {
  test.each([
    [{ max: "1Mi" }, { max: 1_048_576 }],
    [{ max: "2M" }, { max: 2_000_000 }],
    [{ max: "65536" }, { max: 65_536 }],
    [
      { memoryBudget: "512MiB", max: 1 },
      { memoryBudget: 536_870_912, max: 1 },
    ],
    // The kernel rounds up to whole pages, and so do we.
    [{ buckets: 1 }, { buckets: 512 }],
    [{ buckets: 100_000 }, { buckets: 100_352 }],
    [{ buckets: "256Ki" }, { buckets: 262_144 }],
  ])("%j is %j", (given, expected) => {
    expect(canonical(given)).toEqual(expected);
    expect(canonical(canonical(given))).toEqual(expected);
  });

  test.each([
    [{ max: 0 }, "max: 0: max is from 1 to 2147483647"],
    [{ max: "2Gi" }, 'max: "2Gi": max is from 1 to 2147483647'],
    [{ buckets: "1 Mi" }, /^buckets: "1 Mi": buckets is a whole number, or a text like/],
    [{ memoryBudget: "1k" }, /^memoryBudget: "1k": memoryBudget is from 1048576 to/],
    [{ memoryBudget: "64K" }, /a text like "256Ki"/],
  ])("%j is refused", (given, expected) => {
    expect(problems(given)).toEqual([
      typeof expected === "string" ? expected : (expect.stringMatching(expected) as string),
    ]);
  });
});

describe("the table's sizes and its memory are checked against each other", () => {
  test("chains of 16 are the longest", () => {
    expect(canonical({ max: "2Mi", buckets: 262_144 })).toEqual({ max: 2_097_152, buckets: 262_144 });
    expect(problems({ max: 2_097_153, buckets: 262_144 })).toEqual([
      "max: a full table would have chains of more than 16 entries in each bucket, and the kernel drops what meets too " +
        "long a chain: raise buckets, or lower max (each of 2097153 entries is in 2 of 262144 buckets, which makes " +
        "chains of 17; at least 262656 buckets are needed)",
    ]);
  });

  test("a budget is a limit for what is named, with the arithmetic of it", () => {
    expect(problems({ max: "1Mi", buckets: 262_144, memoryBudget: "256Mi" })).toEqual([
      "memoryBudget: the table would take more memory than memoryBudget allows (1048576 entries of 288 bytes and " +
        "262144 buckets of 8 bytes take 290 MiB, and the budget is 256.0 MiB)",
    ]);
    expect(problems({ max: "1Mi", memoryBudget: "287Mi" })).toHaveLength(1);
    expect(problems({ max: "1Mi", memoryBudget: "288Mi" })).toEqual([]);
  });

  test.each([
    { max: "1Mi", buckets: UNKNOWN },
    { max: UNKNOWN, buckets: 512 },
    { max: UNKNOWN, memoryBudget: "1Mi" },
    { max: "1Mi", memoryBudget: UNKNOWN },
    { memoryBudget: UNKNOWN },
    { interfaces: { eth0: UNKNOWN } },
    { extra: { "net.a": UNKNOWN }, modules: UNKNOWN },
  ])("nothing is said of what is not known yet: %j", (given) => {
    expect(problems(given)).toEqual([]);
  });

  test("of secret values no number is shown", () => {
    const given = { max: "1Mi", buckets: 262_144, memoryBudget: "256Mi" };
    expect(problems(given, true)).toEqual(["memoryBudget: the table would take more memory than memoryBudget allows"]);
  });

  test("a budget alone is both sizes, within it", () => {
    expect(sized({ memoryBudget: "512Mi" })).toEqual([
      ["buckets", "1813504", 14_508_032],
      ["max", "1813504", 536_797_184],
    ]);
    expect(sized({ memoryBudget: "1Mi" })).toEqual([
      ["buckets", "3072", 24_576],
      ["max", "3072", 909_312],
    ]);
  });

  test("the buckets come first, and the entries carry what the whole table takes", () => {
    expect(sized({ max: "1Mi", buckets: 262_144 })).toEqual([
      ["buckets", "262144", 2_097_152],
      ["max", "1048576", 304_087_040],
    ]);
  });
});

describe("keys", () => {
  test.each([
    [
      { extra: { "kernel.core_pattern": 1 } },
      /^extra\.kernel\.core_pattern: "kernel\.core_pattern": a key is a sysctl/,
    ],
    [{ extra: { "net.a.//.//.kernel": 1 } }, /a key is a sysctl below net/],
    [{ extra: { "net/ipv4/tcp_sack": 1 } }, /a key is a sysctl below net/],
    [{ extra: { "net.ipv4.tcp_sack": 1 } }, /^extra\.net\.ipv4\.tcp_sack: has a property of its own: sack$/],
    [{ extra: { "net.nf_conntrack_max": 1 } }, /has a property of its own: max$/],
    [{ extra: { "net.a": true } }, /true: a value is a whole number or a text in one line/],
    [{ extra: { "net.a": "1\n2" } }, /a text in one line/],
    [{ extra: { "net.a": 1.5 } }, /a whole number/],
    [{ interfaces: { "eth 0": { rpFilter: "loose" } } }, /^interfaces\.eth 0: "eth 0": an interface's name/],
    [
      { interfaces: { eth0: { rpFilter: 2 } } },
      /^interfaces\.eth0\.rpFilter: 2: rpFilter is one of off, strict, loose$/,
    ],
    [{ sack: true, interfaces: { eth0: { rpfilter: "loose" } } }, /^interfaces\.eth0: has no property "rpfilter"$/],
    [
      { interfaces: { all: { forwarding: true } } },
      /^interfaces\.all\.forwarding: has a property of its own: ipForward$/,
    ],
    [{ modules: { "nf-conntrack": {} } }, /^modules\.nf-conntrack: "nf-conntrack": a module is named/],
    [{ modules: { nf_conntrack: { hashsize: 512 } } }, /has a property of its own: buckets$/],
    [{ modules: { ip_vs: { "../x": 1 } } }, /a parameter is named as modinfo -p shows it$/],
  ])("%j is refused", (given, expected) => {
    expect(problems(given)).toEqual([expect.stringMatching(expected) as string]);
  });

  test("are in one order, whatever the program's", () => {
    const given = { extra: { "net.b": " 1  2 ", "net.a": "7" }, modules: { b: {}, a: { y: "Y", x: 1 } } };
    expect(JSON.stringify(canonical(given))).toBe(
      '{"modules":{"a":{"x":1,"y":true},"b":{}},"extra":{"net.a":7,"net.b":"1 2"}}',
    );
  });
});

test.each([{}, { timeouts: {} }, { interfaces: { eth0: {} } }, { extra: {} }, { modules: {} }])(
  "%j tunes nothing",
  (given) => {
    expect(problems(given)).toEqual(["nothing is tuned: give at least one value"]);
  },
);
