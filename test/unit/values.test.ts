import fc from "fast-check";

import {
  type PortRange,
  address4,
  canonicalAddresses,
  canonicalNames,
  canonicalPorts,
  duration,
  interfaceName,
  portOrRange,
  size,
} from "../../provider/values";

const range: fc.Arbitrary<PortRange> = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.nat(5))
  .map(([from, more]) => ({ from, to: from + more }));
const portsOf = (list: readonly PortRange[]): number[] =>
  [...new Set(list.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i)))].toSorted(
    (a, b) => a - b,
  );
const readBack = (list: readonly (number | string)[]): PortRange[] => list.map((p) => portOrRange.parse(p));

describe("the canonical list of some ports", () => {
  test("means the same ports", () => {
    fc.assert(
      fc.property(fc.array(range), (list) => {
        expect(portsOf(readBack(canonicalPorts(list)))).toEqual(portsOf(list));
      }),
    );
  });

  test("names no port twice, in order, and no two ranges that touch", () => {
    fc.assert(
      fc.property(fc.array(range), (list) => {
        const canonical = readBack(canonicalPorts(list));
        canonical.slice(1).forEach((next, i) => {
          const before = canonical[i];
          const apart = before && (before.from < before.to && next.from < next.to ? 1 : 0);
          expect(next.from).toBeGreaterThan((before?.to ?? 0) + (apart ?? 0));
        });
      }),
    );
  });

  test("is the canonical list of itself", () => {
    fc.assert(
      fc.property(fc.array(range), (list) => {
        expect(canonicalPorts(readBack(canonicalPorts(list)))).toEqual(canonicalPorts(list));
      }),
    );
  });
});

test.each([
  ["30", 30],
  [30, 30],
  ["90s", 90],
  ["2m", 120],
  ["1h30m", 5400],
  ["5d", 432_000],
  ["1d2h3m4s", 93_784],
  ["2147483", 2_147_483],
])("%j is %d seconds", (given, seconds) => {
  expect(duration(1, 2_147_483).parse(given)).toBe(seconds);
});

test("a duration in one unit is so many of it", () => {
  const unit = fc.constantFrom<[string, number]>(["s", 1], ["m", 60], ["h", 3600], ["d", 86_400]);
  fc.assert(
    fc.property(fc.nat(1000), unit, (n, [letter, seconds]) => {
      expect(duration(0, 1e9).parse(`${n.toString()}${letter}`)).toBe(n * seconds);
    }),
  );
});

test("every address of a host is taken", () => {
  const octet = fc.nat(255);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 223 }), octet, octet, octet, (...octets) => {
      expect(address4.parse(octets.join("."))).toBe(octets.join("."));
    }),
  );
});

test.each(["eth0", "a", "bond0.100", "wan-uplink_0", "fifteen-letters", "if@1", "drop"])(
  "%s is an interface",
  (name) => {
    expect(interfaceName.parse(name)).toBe(name);
  },
);

test("addresses are sorted as numbers, names as texts, each once", () => {
  expect(canonicalAddresses(["10.0.0.10", "9.255.0.1", "10.0.0.9", "10.0.0.10", "200.0.0.1"])).toEqual([
    "9.255.0.1",
    "10.0.0.9",
    "10.0.0.10",
    "200.0.0.1",
  ]);
  expect(canonicalNames(["eth10", "eth2", "eth2"])).toEqual(["eth10", "eth2"]);
});

test.each([
  [7, 7],
  ["7", 7],
  ["256Ki", 262_144],
  ["1Mi", 1_048_576],
  ["1MiB", 1_048_576],
  ["2Gi", 2_147_483_648],
  ["64k", 64_000],
  ["2M", 2_000_000],
  ["1GB", 1_000_000_000],
])("the size %j is %d", (given, expected) => {
  expect(size(1, 2 ** 40, "it").parse(given)).toBe(expected);
});

test.each(["", "Mi", "1mi", "1 Mi", "1.5Mi", "-1", "64K", "1iB", 1.5, true, 0, 11])(
  "%j is no size up to 10",
  (given) => {
    expect(size(1, 10, "it").safeParse(given).success).toBe(false);
  },
);
