/** Generated states of IPVS, as a kernel could hold them. The services are always some of the same few, so that two states meet. */
import fc from "fast-check";

import {
  type Forwarding,
  type IpvsObject,
  type IpvsServer,
  type IpvsService,
  type SchedulerFlag,
  type Virtual,
  ipvsId,
} from "../../provider/kernel/ipvs/objects";

const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"];

const VIRTUALS: readonly Virtual[] = [
  { protocol: "tcp", address: "203.0.113.12", port: 443 },
  { protocol: "udp", address: "203.0.113.12", port: 443 },
  { protocol: "tcp", address: "203.0.113.12", port: 0 },
  { protocol: "sctp", address: "255.255.255.254", port: 65535 },
  { protocol: "tcp", address: "2001:db8::12", port: 443 },
  { protocol: "udp", address: "2001:db8:1:2:3:4:5:6", port: 0 },
  { fwmark: 1, family: 4 },
  { fwmark: 1, family: 6 },
  { fwmark: 0xffffffff, family: 4 },
];
const isV6 = (v: Virtual): boolean => ("fwmark" in v ? v.family === 6 : v.address.includes(":"));

/** A flag has a name or a number, and the kernel does not tell which. */
const flagsOf = (scheduler: string): fc.Arbitrary<SchedulerFlag[]> =>
  scheduler === "sh"
    ? fc.subarray<SchedulerFlag>(["sh-fallback", "sh-port", "flag-1", "flag-2"])
    : scheduler === "mh"
      ? fc.subarray<SchedulerFlag>(["mh-fallback", "mh-port", "flag-2", "flag-3"])
      : fc.subarray<SchedulerFlag>(["flag-1", "flag-2", "flag-3"]);

const persistence = (v: Virtual) =>
  fc.record(
    {
      timeout: fc.oneof(fc.integer({ min: 1, max: 2_678_400 }), fc.constant(300)),
      netmask: isV6(v)
        ? fc.integer({ min: 1, max: 128 }).map(String)
        : fc.constantFrom("255.255.255.255", "255.255.255.0", "255.0.255.0", "0.0.0.0"),
    },
    { requiredKeys: ["timeout"] },
  );

const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(some, { nil: undefined, freq: 2 });

const serviceOf = (v: Virtual): fc.Arbitrary<IpvsService> =>
  fc.constantFrom(...SCHEDULERS).chain((scheduler) =>
    fc
      .record({
        flags: flagsOf(scheduler),
        persists: "port" in v && v.port === 0 ? persistence(v) : maybe(persistence(v)),
        engine: maybe(fc.constant("sip")),
        onePacket: "fwmark" in v || v.protocol === "udp" ? fc.boolean() : fc.constant(false),
      })
      .map(({ persists, engine, ...o }): IpvsService => ({
        kind: "ipvs-service",
        ...v,
        scheduler,
        ...o,
        ...(persists === undefined ? {} : { persistence: persists }),
        ...(engine === undefined ? {} : { engine }),
      })),
  );

const tunnel: fc.Arbitrary<Forwarding> = fc.oneof(
  fc.constant({ method: "tunnel" as const, type: "ipip" as const }),
  fc.record({
    method: fc.constant("tunnel" as const),
    type: fc.constant("gre" as const),
    checksum: fc.constantFrom("nocsum" as const, "csum" as const),
  }),
  fc.record({
    method: fc.constant("tunnel" as const),
    type: fc.constant("gue" as const),
    checksum: fc.constantFrom("nocsum" as const, "csum" as const, "remcsum" as const),
    port: fc.constantFrom(1, 6080, 65535),
  }),
);
const forwarding: fc.Arbitrary<Forwarding> = fc.oneof(
  fc.constant({ method: "masquerade" as const }),
  fc.constant({ method: "gateway" as const }),
  tunnel,
);

const threshold = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffffffff >>> 1 }));

const serverOf = (s: IpvsService): fc.Arbitrary<IpvsServer> =>
  fc
    .record({
      six: fc.boolean(),
      host: fc.integer({ min: 1, max: 2 }),
      port: fc.constantFrom("fwmark" in s ? 0 : s.port, 8080),
      forwarding,
      weight: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0x7fffffff })),
      thresholds: fc.tuple(threshold, threshold).map((both) => both.toSorted((a, b) => a - b)),
    })
    .map(({ six, host, port, weight, thresholds: [lower = 0, upper = 0], ...o }): IpvsServer => ({
      kind: "ipvs-server",
      service: ipvsId(s),
      // Only a tunnel leads to another family, and only masquerading to another port.
      address: `${(o.forwarding.method === "tunnel" ? six : isV6(s)) ? "2001:db8:b::" : "10.0.0."}${host.toString()}`,
      port: "fwmark" in s || o.forwarding.method === "masquerade" ? port : s.port,
      forwarding: o.forwarding,
      weight,
      upper,
      lower,
    }));

const seconds = fc.oneof(fc.constant(900), fc.integer({ min: 1, max: 2_678_400 }));

const withServers = (s: IpvsService): fc.Arbitrary<IpvsObject[]> =>
  fc.uniqueArray(serverOf(s), { maxLength: 4, selector: ipvsId }).map((servers): IpvsObject[] => [s, ...servers]);

/** Services, their servers and the timeouts; no daemon, which needs an interface. */
export const ipvsState: fc.Arbitrary<IpvsObject[]> = fc
  .tuple(
    fc.tuple(...VIRTUALS.map((v) => maybe(serviceOf(v).chain(withServers)))),
    fc.record({ kind: fc.constant("ipvs-timeouts" as const), tcp: seconds, tcpfin: seconds, udp: seconds }),
  )
  .map(([services, timeouts]) => [...services.flatMap((some) => some ?? []), timeouts]);
