"use strict";
// A provider as it is often written: each resource dials, runs one command, and hangs up.
const { Buffer } = require("node:buffer");
const { appendFileSync } = require("node:fs");
const { connect } = require("node:net");
const { setTimeout: sleep } = require("node:timers/promises");
const { NodeSSH } = require("node-ssh");
const { BASE, removal, ruleText } = require("./rules.cjs");

const trace = (...words) =>
  appendFileSync(process.env.LBSHIELD_TRACE, `${[new Date().toISOString(), ...words].join("\t")}\n`);

/** With @pulumi/command's patience: sshd turns away some of those who come while ten others have not logged in yet. */
async function exec(connection, what, command, stdin = "") {
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(connection, what, command, stdin);
    } catch (error) {
      if (error.loggedIn || attempt === 10) throw error;
      await sleep(400);
    }
  }
}

async function once({ host, user, hostKey }, what, command, stdin) {
  const began = Date.now();
  const ssh = new NodeSSH();
  await ssh.connect({
    sock: connect({ host, port: 22, noDelay: true }), // without it every command would take 40 ms longer
    username: user,
    privateKey: process.env.LBSHIELD_PRIVATE_KEY,
    hostVerifier: (key) => key.equals(Buffer.from(hostKey.split(" ")[1], "base64")),
  });
  trace(host, "dial", "open after 1", `${Date.now() - began} ms`);
  try {
    const { code, stdout, stderr } = await ssh.execCommand(command, { stdin });
    const back = `exit ${code}, ${stdout.length + stderr.length} B back`;
    trace(host, what, back, `${Date.now() - began} ms`, `${stdin.length} B sent`);
    if (code !== 0) throw Object.assign(new Error(`${command}: ${code}: ${stderr}`), { loggedIn: true });
    return stdout;
  } finally {
    ssh.dispose();
  }
}

const nameOf = ({ name }) => name.replace(/^.*-/, "");
const put = (inputs) => exec(inputs.connection, "put", "nft -f -", BASE + ruleText(nameOf(inputs), inputs));

exports.provider = {
  check: (_olds, inputs) => Promise.resolve({ inputs, failures: [] }),
  diff: () => Promise.resolve({}),
  create: async (inputs) => {
    await put(inputs);
    return { id: inputs.name, outs: inputs };
  },
  read: async (id, props) => {
    await exec(props.connection, "read", `nft list chain inet peer ${nameOf(props)}-in`);
    return { id, props, inputs: { ...props } };
  },
  update: async (_id, _olds, news) => {
    await put(news);
    return { outs: news };
  },
  delete: (_id, props) => exec(props.connection, "delete", "nft -f -", removal(nameOf(props), props)),
};
