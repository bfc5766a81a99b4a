import fc from "fast-check";

import { canonicalNames, duration, interfaceName, portOrRange, size } from "../../provider/values";

test.each([
  [80, 80, 80],
  ["443", 443, 443],
  ["0443", 443, 443],
  ["8000-8080", 8000, 8080],
  ["1-65535", 1, 65535],
])("%j is the ports from %i to %i", (given, from, to) => {
  expect(portOrRange.parse(given)).toEqual({ from, to });
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

test.each(["eth0", "a", "bond0.100", "wan-uplink_0", "fifteen-letters", "if@1", "drop"])(
  "%s is an interface",
  (name) => {
    expect(interfaceName.parse(name)).toBe(name);
  },
);

test("names are sorted as texts, each once", () => {
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
