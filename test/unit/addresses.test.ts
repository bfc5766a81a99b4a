import { isIPv6 } from "node:net";

import fc from "fast-check";

import {
  type AddressRange,
  FAMILIES,
  type Family,
  type Range,
  all,
  canonical,
  joined,
  parseAddresses,
  printAddress,
  printAddresses,
  sameRanges,
  without,
} from "../../provider/addresses";

const BITS = { 4: 32, 6: 128 } as const;

/** Also small ones and round ones, where the forms of IPv6 differ. */
const number = (family: Family): fc.Arbitrary<bigint> =>
  fc.oneof(
    fc.bigInt({ min: 0n, max: all(family).to }),
    fc.bigInt({ min: 0n, max: 0xffff_ffffn }),
    fc.tuple(fc.nat(BITS[family] - 1), fc.nat(255)).map(([shift, n]) => (BigInt(n) << BigInt(shift)) & all(family).to),
    // Groups that are mostly zero.
    fc
      .array(fc.constantFrom(0n, 0n, 0n, 1n, 0xffffn), { minLength: BITS[family] / 16, maxLength: BITS[family] / 16 })
      .map((groups) => groups.reduce<bigint>((n, group) => (n << 16n) + group, 0n)),
  );
const address = fc.constantFrom(...FAMILIES).chain((family) => number(family).map((n) => ({ family, n })));
const range = fc
  .constantFrom(...FAMILIES)
  .chain((family) =>
    fc
      .tuple(number(family), number(family))
      .map(([a, b]): AddressRange => ({ family, from: a < b ? a : b, to: a < b ? b : a })),
  );
const network = fc.constantFrom(...FAMILIES).chain((family) =>
  fc.tuple(number(family), fc.nat(BITS[family])).map(([n, length]): AddressRange => {
    const size = 1n << BigInt(BITS[family] - length);
    return { family, from: n - (n % size), to: n - (n % size) + size - 1n };
  }),
);

/** What node's URL makes of an address, in hexadecimal groups. */
const throughUrl = (text: string): string =>
  text.includes(":") ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : new URL(`http://${text}/`).hostname;

describe("an address", () => {
  test("that is printed is the same when it is read", () => {
    fc.assert(
      fc.property(address, ({ family, n }) => {
        expect(parseAddresses(printAddress(family, n))).toEqual({ family, from: n, to: n });
      }),
      { numRuns: 1000 },
    );
  });

  test("means to node's own reader what it means here", () => {
    fc.assert(
      fc.property(address, ({ family, n }) => {
        const text = printAddress(family, n);
        const groups = Array.from({ length: 8 }, (_, i) => ((n >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
        expect(throughUrl(text)).toBe(family === 4 ? text : throughUrl(groups.join(":")));
      }),
      { numRuns: 1000 },
    );
  });

  test("is read in whatever way IPv6 may be written, as node reads it", () => {
    const groups = fc.array(fc.constantFrom("0", "0000", "1", "0AbC", "ffff"), { minLength: 1, maxLength: 8 });
    const text = fc.tuple(groups, fc.nat(8), fc.boolean(), fc.boolean()).map(([some, at, gap, dotted]) => {
      const parts = dotted ? [...some.slice(2), "192.0.2.1"] : some;
      return gap ? `${parts.slice(0, at).join(":")}::${parts.slice(at).join(":")}` : parts.join(":");
    });
    fc.assert(
      fc.property(text, (t) => {
        const read = parseAddresses(t);
        if (!t.includes(":")) return;
        if (!isIPv6(t)) expect(typeof read).toBe("string");
        else if (typeof read === "string") throw new Error(`${t} ${read}`);
        else expect(throughUrl(printAddresses(read))).toBe(throughUrl(t));
      }),
      { numRuns: 1000 },
    );
  });

  // glibc's inet_ntop, which nft prints with; measured with nft 1.0.6.
  test.each([
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["0:0:0:0:0:0:0:ffff", "::ffff"],
    ["0:0:0:0:0:0:1:2", "::0.1.0.2"],
    ["0:0:0:0:0:0:102:304", "::1.2.3.4"],
    ["0:0:0:0:0:0:1:0", "::0.1.0.0"],
    ["0:0:0:0:0:ffff:102:304", "::ffff:1.2.3.4"],
    ["0:0:0:0:0:ffff:0:0", "::ffff:0.0.0.0"],
    ["0:0:0:0:ffff:0:102:304", "::ffff:0:102:304"],
    ["0:0:0:0:1:0:0:0", "::1:0:0:0"],
    ["0:2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["1:0:0:2:0:0:3:4", "1::2:0:0:3:4"],
    ["1:0:2:0:0:0:3:4", "1:0:2::3:4"],
    ["2001:DB8::00A0", "2001:db8::a0"],
    ["1:0:2:0:3:0:4:5", "1:0:2:0:3:0:4:5"],
    ["1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"],
    ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
  ])("%s is printed as nft does: %s", (given, printed) => {
    const read = parseAddresses(given);
    expect(typeof read === "string" ? read : printAddresses(read)).toBe(printed);
  });
});

describe("a range or a network", () => {
  test("that is printed is the same when it is read", () => {
    fc.assert(
      fc.property(fc.oneof(range, network), (r) => {
        expect(parseAddresses(printAddresses(r))).toEqual(r);
      }),
      { numRuns: 1000 },
    );
  });

  test("that is one is printed as a network", () => {
    fc.assert(
      fc.property(network, (r) => {
        expect(printAddresses(r)).toMatch(r.from === r.to ? /^[^/-]+$/ : /^[^/-]+\/[0-9]+$/);
      }),
    );
  });

  test.each([
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["0.0.0.0-255.255.255.255", "0.0.0.0/0"],
    ["::/0", "::/0"],
    ["192.0.2.4-192.0.2.7", "192.0.2.4/30"],
    ["192.0.2.5-192.0.2.8", "192.0.2.5-192.0.2.8"],
    ["::1:0-::1:ffff", "::0.1.0.0/112"],
    ["192.0.2.1-192.0.2.1", "192.0.2.1"],
  ])("%s is printed as %s", (given, printed) => {
    const read = parseAddresses(given);
    expect(typeof read === "string" ? read : printAddresses(read)).toBe(printed);
  });
});

const NONE = "is not an address (203.0.113.10), a network (203.0.113.0/24) or a range (203.0.113.10-203.0.113.20)";
const NO_RANGE = "is not a range of addresses (203.0.113.10-203.0.113.20)";

test.each([
  ["", NONE],
  ["lb1", NONE],
  ["192.0.2", NONE],
  ["192.0.2.256", NONE],
  ["192.0.2.010", NONE],
  ["0x7f.1", NONE],
  ["192.0.2.1 ", NONE],
  ["1::2::3", NONE],
  ["1:2:3:4:5:6:7", NONE],
  ["fe80::1%eth0", NONE],
  ["192.0.2.0/24/24", NONE],
  ["192.0.2.1-192.0.2.2-192.0.2.3", NONE],
  ["192.0.2.1-", NO_RANGE],
  ["192.0.2.1-9", NO_RANGE],
  ["192.0.2.0/24-192.0.3.0", NO_RANGE],
  ["192.0.2.0-192.0.3.0/24", NO_RANGE],
  ["192.0.2.1-2001:db8::1", "begins with an address of one family and ends with one of the other"],
  ["192.0.2.9-192.0.2.1", "ends before it begins"],
  ["192.0.2.0/33", "has a prefix that is no number from 0 to 32"],
  ["192.0.2.0/", "has a prefix that is no number from 0 to 32"],
  ["192.0.2.0/-1", NO_RANGE],
  ["2001:db8::/129", "has a prefix that is no number from 0 to 128"],
  ["192.0.2.1/24", "has host bits: the network is 192.0.2.0/24"],
  ["2001:db8::1/64", "has host bits: the network is 2001:db8::/64"],
])("%j %s", (text, why) => {
  expect(parseAddresses(text)).toBe(why);
});

/** Sets over few numbers, as their members. */
const small = fc.array(
  fc.tuple(fc.nat(12), fc.nat(4)).map(([from, more]): Range => ({ from: BigInt(from), to: BigInt(from + more) })),
  { maxLength: 6 },
);
const EVERYTHING: Range = { from: 0n, to: 16n };
const members = (ranges: readonly Range[]): number[] =>
  Array.from({ length: 17 }, (_, n) => n).filter((n) => ranges.some((r) => r.from <= BigInt(n) && BigInt(n) <= r.to));

describe("of sets of ranges", () => {
  test("joined holds the same, sorted, and nothing in it touches", () => {
    fc.assert(
      fc.property(small, (some) => {
        const found = joined(some);
        expect(members(found)).toEqual(members(some));
        found.slice(1).forEach((r, i) => {
          expect(r.from > (found[i]?.to ?? 0n) + 1n).toBe(true);
        });
      }),
    );
  });

  test("canonical holds the same, whatever the order and however often, and again nothing new", () => {
    fc.assert(
      fc.property(small, (some) => {
        const found = canonical(some);
        expect(members(found)).toEqual(members(some));
        expect(canonical([...some].reverse())).toEqual(found);
        expect(canonical([...some, ...found])).toEqual(found);
        // Single ones stay single, beside a range as well: they are found by a hash.
        for (const r of some.filter(({ from, to }) => from === to))
          if (!some.some((w) => w.from < w.to && w.from <= r.from && r.to <= w.to)) expect(found).toContainEqual(r);
      }),
    );
  });

  test("what one leaves of another is what is in it alone", () => {
    fc.assert(
      fc.property(small, small, (some, gone) => {
        const left = without(some, gone);
        expect(members(left)).toEqual(members(some).filter((n) => !members(gone).includes(n)));
        expect(sameRanges(left, joined(left))).toBe(true);
      }),
    );
  });

  test("the complement of the complement is the set", () => {
    fc.assert(
      fc.property(small, (some) => {
        const complement = without([EVERYTHING], some);
        expect(sameRanges(without([EVERYTHING], complement), some)).toBe(true);
        expect(without([EVERYTHING], complement)).toEqual(joined(some));
      }),
    );
  });

  test("two are the same when they have the same members", () => {
    fc.assert(
      fc.property(small, small, (a, b) => {
        expect(sameRanges(a, b)).toBe(members(a).join() === members(b).join());
      }),
    );
  });

  test.each(FAMILIES)("nothing is left of all addresses without all addresses (IPv%i)", (family) => {
    expect(without([all(family)], [all(family)])).toEqual([]);
    expect(printAddresses(all(family))).toBe(family === 4 ? "0.0.0.0/0" : "::/0");
  });
});
