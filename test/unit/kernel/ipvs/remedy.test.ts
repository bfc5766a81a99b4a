import { ipvsRemedy } from "../../../../provider/kernel/ipvs/remedy";

test.each([
  ["sh: 5: ipvsadm: not found", /install ipvsadm/],
  ["bash: line 1: ipvsadm: command not found", /install ipvsadm/],
  [
    "Can't initialize ipvs: Protocol not available\nAre you sure that IP Virtual Server is built in the kernel or as module?",
    /no IPVS/,
  ],
  ["Scheduler or persistence engine not found", /modprobe ip_vs_NAME/],
  ["No such file or directory", /modprobe ip_vs_NAME/],
  ["Memory allocation problem", /modprobe ip_vs_NAME/],
  ["--tun-type: unknown option", /too old/],
  ["Service already exists", /in the meantime/],
  ["Destination already exists", /in the meantime/],
  ["Daemon has already run", /in the meantime/],
  ["No such service", /in the meantime/],
  ["No such destination", /in the meantime/],
  ["Service not defined", /in the meantime/],
  ["No daemon is running", /in the meantime/],
  ["Numerical result out of range", /threshold/],
  ["No such device", /interface/],
  ["Invalid operation.  Possibly wrong module version, address not unicast, ...", /unicast.*another address family/],
  ["Operation not supported with specified address family", /without IPv6/],
  ["Permission denied (you must be root)", /root/],
])("%s: there is something to do", (said, remedy) => {
  expect(ipvsRemedy(said)).toMatch(remedy);
});

test("what is not known has no remedy", () => {
  expect(ipvsRemedy("Segmentation fault")).toBeUndefined();
});
