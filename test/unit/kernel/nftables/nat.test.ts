import { TARGET, parseTarget, printTarget } from "../../../../provider/kernel/nftables/nat";

describe("where DNAT leads to is read, and written as nft lists it", () => {
  test.each([
    ["10.1.1.1", "10.1.1.1"],
    ["10.1.1.1-10.1.1.10", "10.1.1.1-10.1.1.10"],
    ["10.1.1.0-10.1.1.255", "10.1.1.0/24"],
    ["10.1.1.0/24", "10.1.1.0/24"],
    ["10.1.1.1:8080", "10.1.1.1:8080"],
    ["10.1.1.1:8080-8090", "10.1.1.1:8080-8090"],
    ["10.1.1.1-10.1.1.10:8080", "10.1.1.1-10.1.1.10:8080"],
    // nft loads no network with a port, and lists one.
    ["10.1.1.0/24:80", "10.1.1.0-10.1.1.255:80"],
    [":8080", ":8080"],
    [":8080-8090", ":8080-8090"],
    [":8080-8080", ":8080"],
    [":080-80", ":80"],
    ["2001:db8::1", "2001:db8::1"],
    ["2001:DB8:0::1-2001:db8::9", "2001:db8::1-2001:db8::9"],
    ["2001:db8::/64", "2001:db8::/64"],
    ["[2001:db8::1]", "2001:db8::1"],
    ["[2001:db8::1]:8080", "[2001:db8::1]:8080"],
    ["[2001:db8::1-2001:db8::9]:8080", "[2001:db8::1]-[2001:db8::9]:8080"],
    ["[2001:db8::1]-[2001:db8::9]:80-90", "[2001:db8::1]-[2001:db8::9]:80-90"],
    ["[2001:db8::/126]:80", "[2001:db8::]-[2001:db8::3]:80"],
    ["::1", "::1"],
  ])("%s: %s", (given, printed) => {
    const target = parseTarget(given);
    if (typeof target === "string") throw new Error(target);
    expect(printTarget(target)).toBe(printed);
    expect(parseTarget(printed)).toEqual(target);
  });
});

describe("what leads nowhere is refused:", () => {
  test.each([
    ["", TARGET],
    [":", TARGET],
    ["backend:80", TARGET],
    ["10.1.1.1:", TARGET],
    ["10.1.1.1:http", TARGET],
    ["10.1.1.9-10.1.1.1", TARGET],
    ["10.1.1.1/24", TARGET],
    ["10.1.1.1-2001:db8::1", TARGET],
    ["[2001:db8::1", TARGET],
    ["[2001:db8::1]80", TARGET],
    [":0", `${TARGET}; ports are 1 to 65535`],
    [":65536", `${TARGET}; ports are 1 to 65535`],
    [":80-", `${TARGET}; ports are 1 to 65535`],
    [":1-2-3", `${TARGET}; ports are 1 to 65535`],
    [":90-80", "the range of ports ends before it begins"],
  ])("%j", (given, why) => {
    expect(parseTarget(given)).toBe(why);
  });
});
