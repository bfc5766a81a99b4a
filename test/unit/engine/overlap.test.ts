import fc from "fast-check";

import { keyMatches, keysOverlap } from "../../../provider/engine/overlap";

describe("two keys overlap when there is a packet that both match", () => {
  test.each([
    ["192.0.2.1 . 80", "192.0.2.1 . 80", true],
    ["192.0.2.1 . 80", "192.0.2.1 . 81", false],
    ["192.0.2.1 . 80", "192.0.2.2 . 80", false],
    ["192.0.2.1 . 80-90", "192.0.2.1 . 90-99", true],
    ["192.0.2.1 . 80-90", "192.0.2.1 . 91-99", false],
    ["192.0.2.1 . 80-90", "192.0.2.1 . 85", true],
    ["192.0.2.1 . 9-10", "192.0.2.1 . 80-100", false], // numbers, not texts
    ["192.0.2.0-192.0.2.255 . 80", "192.0.2.7 . 80", true],
    ["192.0.2.0-192.0.2.255 . 80", "192.0.3.0 . 80", false],
    ["9.0.0.0-10.0.0.0 . 80", "9.255.255.255 . 80", true],
    ["255.255.255.254 . 80", "255.255.255.255 . 80", false],
    ['"eth0" . 192.0.2.1 . 80', '"eth0" . 192.0.2.1 . 80', true],
    ['"eth0" . 192.0.2.1 . 80', '"eth1" . 192.0.2.1 . 80', false],
    ['"1-9" . 192.0.2.1 . 80', '"5" . 192.0.2.1 . 80', false], // interfaces, not numbers
    ['"eth0" . 192.0.2.1 . 80', "192.0.2.1 . 80", false],
    ["192.0.2.1", "192.0.2.1 . 80", false],
    ["192.0.2.0/24 . 80", "192.0.2.255 . 80", true],
    ["192.0.2.0/24 . 80", "192.0.3.0 . 80", false],
    ["192.0.2.0/24 . 80", "192.0.2.128/25 . 1-80", true],
    ["192.0.2.0/25 . 80", "192.0.2.128/25 . 80", false],
    ["0.0.0.0/0 . 0-65535", "203.0.113.7 . 443", true],
    ["2001:db8::1 . 80", "2001:db8:0::1 . 80", true],
    ["2001:db8::/64 . 80", "2001:db8::ffff . 80", true],
    ["2001:db8::/64 . 80", "2001:db8:0:1:: . 80", false],
    ["2001:db8::1-2001:db8::9 . 80", "2001:db8::9-2001:db8::a . 80", true],
    ["2001:db8::1-2001:db8::8 . 80", "2001:db8::9-2001:db8::a . 80", false],
    ["::/0 . 80", "ffff:: . 80", true],
    ["10.0.0.0/8 . 192.0.2.1 . 80", "10.1.0.0/16 . 192.0.2.1 . 80", true],
    ["10.0.0.0/8 . 192.0.2.1 . 80", "11.0.0.0/8 . 192.0.2.1 . 80", false],
    ['"eth-0" . 2001:db8::/64 . 80', '"eth-0" . 2001:db8::1 . 80', true],
    ['"eth-0" . 2001:db8::/64 . 80', '"eth-1" . 2001:db8::1 . 80', false],
  ])("%s and %s: %p", (a, b, expected) => {
    expect(keysOverlap(a, b)).toBe(expected);
    expect(keysOverlap(b, a)).toBe(expected);
  });
});

describe("a key may match a packet", () => {
  test.each([
    ["192.0.2.1 . 80", "192.0.2.1", 80, true],
    ["192.0.2.1 . 80", "192.0.2.1", 81, false],
    ["192.0.2.0/24 . 1-1023", "192.0.2.9", 80, true],
    ["192.0.2.0/24 . 1-1023", "192.0.3.9", 80, false],
    ["10.0.0.0/8 . 192.0.2.1 . 80", "192.0.2.1", 80, true],
    ["10.0.0.0/8 . 192.0.2.1 . 80", "192.0.2.2", 80, false],
    ["2001:db8::/64 . 80", "2001:db8::1", 80, true],
    ["2001:db8::/64 . 80", "2001:db8:0:1::1", 80, false],
    ["::/0 . 80", "192.0.2.1", 80, false],
    ['"22" . 192.0.2.1 . 80', "192.0.2.1", 80, true], // an interface, not a port
  ])("%s: %s port %i: %p", (key, address, port, expected) => {
    expect(keyMatches(key, address, port)).toBe(expected);
  });
});

/** A key over few addresses and few ports, and every packet that it matches. */
const key = fc
  .tuple(fc.nat(6), fc.nat(3), fc.nat(6), fc.nat(3))
  .map(([address, moreAddresses, port, morePorts]) => {
    const range = (from: number, more: number) => Array.from({ length: more + 1 }, (_, i) => from + i);
    const text = (from: number, more: number, print: (n: number) => string) =>
      more === 0 ? print(from) : `${print(from)}-${print(from + more)}`;
    return {
      text: `${text(address, moreAddresses, (n) => `10.0.0.${(n + 250).toString()}`)} . ${text(port, morePorts, String)}`,
      packets: range(address, moreAddresses).flatMap((a) =>
        range(port, morePorts).map((p) => `${a.toString()}:${p.toString()}`),
      ),
    };
  })
  .filter(({ packets }) => packets.every((p) => parseInt(p) <= 5)); // the last octet ends at 255

test("is what trying every packet says, and is symmetric", () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      const expected = a.packets.some((p) => b.packets.includes(p));
      expect(keysOverlap(a.text, b.text)).toBe(expected);
      expect(keysOverlap(b.text, a.text)).toBe(expected);
    }),
    { numRuns: 1000 },
  );
});
