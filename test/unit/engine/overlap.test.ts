import fc from "fast-check";

import { keysOverlap } from "../../../provider/engine/overlap";

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
  ])("%s and %s: %p", (a, b, expected) => {
    expect(keysOverlap(a, b)).toBe(expected);
    expect(keysOverlap(b, a)).toBe(expected);
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
