import {
  kernelModule,
  moduleId,
  moduleLook,
  moduleRemedy,
  moduleSteps,
  moduleText,
  parseModules,
} from "../../../../provider/kernel/module/module";

const modules = (...names: string[]) =>
  new Map(names.map((name) => [moduleId(kernelModule(name)), kernelModule(name)]));

test("a module is told by its name, with underscores as in /sys/module", () => {
  expect(moduleId(kernelModule("nf-tproxy-ipv4"))).toBe("module nf_tproxy_ipv4");
  expect(moduleText(kernelModule("ip_vs"))).toBe("");
});

test.each(["", "ip vs", "../x", "a;b", "IP_VS"])("%j is no name", (name) => {
  expect(() => kernelModule(name)).toThrow(/is not the name of a kernel module/);
});

test("what is missing is loaded, and nothing is ever unloaded", () => {
  expect(moduleSteps(modules("ip_vs"), modules("ip_vs", "ip_vs_mh"))).toEqual([
    { id: "module ip_vs_mh", run: "modprobe ip_vs_mh", back: ":" },
  ]);
  expect(moduleSteps(modules("ip_vs"), modules())).toEqual([]);
});

test("a look asks for the wanted ones; what it prints is there", () => {
  expect(moduleLook([kernelModule("ip_vs"), kernelModule("ip_vs_mh")])).toContain("for name in ip_vs ip_vs_mh; do");
  expect(parseModules("ip_vs\nnf_tproxy_ipv4\n")).toEqual([kernelModule("ip_vs"), kernelModule("nf_tproxy_ipv4")]);
  expect(parseModules("")).toEqual([]);
});

test.each([
  ["sh: 1: modprobe: not found", "install kmod"],
  ["modprobe: FATAL: Module ip_vs not found in directory /lib/modules/6.1.0-56-cloud-amd64", "no such module"],
  ["modprobe: ERROR: could not insert 'ip_vs': Operation not permitted", "may not be loaded here"],
  ["modprobe: ERROR: could not insert 'x': Key was rejected by service", "Secure Boot"],
])("%s", (said, remedy) => {
  expect(moduleRemedy(said)).toContain(remedy);
});

test("what is not known has no remedy", () => {
  expect(moduleRemedy("modprobe: ERROR: could not insert 'x': Unknown symbol in module")).toBeUndefined();
});
