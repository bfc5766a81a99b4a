"use strict";
// The Pulumi program of every case; case.json, beside it in the project, says which. It is plain JavaScript: no compiler's
// time is measured.
const { readFileSync } = require("node:fs");
const { rules } = require("./rules.cjs");

/** What is declared, as [type, name, host, arguments]. */
function declared({ shape, hosts, perHost, changed }) {
  return hosts.flatMap((host, i) => {
    const all = rules(perHost, changed && i === 0);
    if (shape === "lb") return [["LoadBalancer", `lb-${host.name}`, host, { synproxyRules: all }]];
    return Object.entries(all).map(([name, args]) => ["SynproxyRule", `${host.name}-${name}`, host, args]);
  });
}

/** As lbshield's own shim: a constant. */
const shim = (module) => `exports.handler = () => require("lbshield-bench/${module}.cjs").provider;\n`;

function declare(file) {
  const pulumi = require("@pulumi/pulumi");
  const lbshield = require("pulumi-lbshield");
  const chosen = JSON.parse(readFileSync(file, "utf8"));
  const parents = Object.fromEntries(
    chosen.hosts.map(({ name, connection }) => [name, new lbshield.Host(name, { connection })]),
  );
  if (chosen.what === "lbshield") {
    for (const [type, name, host, args] of declared(chosen))
      new lbshield[type](name, { host: parents[host.name], ...args });
    return;
  }
  const resources =
    chosen.what === "floor"
      ? chosen.floor
      : declared(chosen).map(([, name, { name: host, connection }, args]) => [
          name,
          host,
          { ...args, connection, name },
        ]);
  const __provider = shim(chosen.what);
  for (const [name, host, inputs] of resources)
    new pulumi.CustomResource(
      `pulumi-nodejs:dynamic/bench:${chosen.what}`,
      name,
      { ...inputs, __provider },
      { parent: parents[host] },
    );
}

/** The inputs that lbshield's check gives for the same case, for resources that hold as much and do nothing. */
async function floorOf(chosen, project, stack) {
  const { get } = require("../../dist/provider");
  return Promise.all(
    declared(chosen).map(async ([type, name, host, args]) => {
      const owner = `${project}/${stack}/${name}`;
      const resourceUrn = `urn:pulumi:${stack}::${project}::lbshield:index:Host$pulumi-nodejs:dynamic/lbshield:${type}::${name}`;
      const given = { ...args, connection: host.connection, owner, resourceUrn };
      const { inputs, failures } = await get(type).check({}, given);
      if (failures?.length > 0) throw new Error(failures[0].reason);
      return [name, host.name, inputs];
    }),
  );
}

module.exports = { declare };

// In a process of its own: check remembers what else is declared for a host.
if (require.main === module) {
  const [file, project, stack] = process.argv.slice(2);
  void floorOf(JSON.parse(readFileSync(file, "utf8")), project, stack).then((floor) =>
    process.stdout.write(JSON.stringify(floor)),
  );
}
