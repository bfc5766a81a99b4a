import * as pulumi from "@pulumi/pulumi";
import * as lbshield from "pulumi-lbshield";

interface Balancer {
  /** Where its sshd is reached. */
  host: string;
  /** Its public key, as in known_hosts; default: what known_hosts says. */
  hostKey?: string;
  /** The address that clients connect to. */
  address: string;
  /** The interface they come in by. */
  interface: string;
}

const balancers = new pulumi.Config().requireObject<Record<string, Balancer>>("balancers");

for (const [name, { host, hostKey, address, interface: outside }] of Object.entries(balancers)) {
  const balancer = new lbshield.Host(name, { connection: { host, ...(hostKey === undefined ? {} : { hostKey }) } });

  new lbshield.ConntrackTuning(`${name}-conntrack`, {
    host: balancer,
    tcpLoose: false,
    accounting: true,
    timeouts: { tcpEstablished: "5d", tcpTimeWait: "30s" },
  });

  new lbshield.SynproxyRule(`${name}-web`, {
    host: balancer,
    chain: "input",
    match: { destinations: [address], ports: [80, 443], interfaces: [outside] },
    options: { mss: 1460, wscale: 7, timestamp: true, sackPerm: true },
  });
}
