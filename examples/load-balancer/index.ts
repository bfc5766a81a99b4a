import * as pulumi from "@pulumi/pulumi";
import * as lbshield from "pulumi-lbshield";

interface Balancer {
  /** Where its sshd is reached. */
  host: string;
  /** Its public key, as in known_hosts; default: what known_hosts says. */
  hostKey?: string;
  /** The interface that clients come in by. */
  interface: string;
  /** What is served, by name: letters, digits, `_` and `-`. */
  services: Record<string, { address: string; ports: (number | string)[] }>;
}

const { host, hostKey, interface: outside, services } = new pulumi.Config().requireObject<Balancer>("balancer");

const balancer = new lbshield.Host("lb1", { connection: { host, ...(hostKey === undefined ? {} : { hostKey }) } });

// One resource, however many services there are.
new lbshield.LoadBalancer("lb1", {
  host: balancer,
  conntrack: { tcpLoose: false, timeouts: { tcpEstablished: "5d", tcpTimeWait: "30s" } },
  synproxyRules: Object.fromEntries(
    Object.entries(services).map(([name, { address, ports }]) => [
      name,
      {
        chain: "input" as const,
        match: { destinations: [address], ports, interfaces: [outside] },
        options: { mss: 1460, wscale: 7, timestamp: true, sackPerm: true },
      },
    ]),
  ),
});
