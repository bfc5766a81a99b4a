import { routeRemedy } from "../../../../provider/kernel/route/remedy";

test.each([
  ["Error: Nexthop has invalid gateway.", "onlink"],
  ["RTNETLINK answers: No route to host", "onlink"],
  ["RTNETLINK answers: Network is unreachable", "onlink"],
  ["RTNETLINK answers: File exists", "choose another pref"],
  ['Cannot find device "eth9"', "no such interface"],
  ["RTNETLINK answers: No such device", "no such interface"],
  ["Error: Device for nexthop is not up.", "bring it up"],
  ["Error: Nexthop device is not up.", "bring it up"],
  ["Error: Invalid prefsrc address.", "an address that the host has"],
  ["Error: Invalid source address.", "an address that the host has"],
  ["Error: IPv6 is disabled on nexthop device.", "IPv6 is off here"],
  ["RTNETLINK answers: Operation not supported", "IPv6 is off here"],
  ["RTNETLINK answers: Address family not supported by protocol", "IPv6 is off here"],
  ["ip: not found", "install iproute2"],
  ["ip: invalid option -- 'N'", "5.2 or newer"],
  ['Option "-N" is unknown, try "ip -help".', "5.2 or newer"],
])("%s", (said, remedy) => {
  expect(routeRemedy(said)).toContain(remedy);
});

test("what is not known has no remedy", () => {
  expect(routeRemedy("Error: Invalid scope.")).toBeUndefined();
});
