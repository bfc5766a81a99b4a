import {
  type Connection,
  type ConnectionArgs,
  SECRET_MEMBERS,
  type Settings,
  connection,
  endpoint,
  withCredentials,
} from "../../../provider/host/connection";

const parse = (args: Partial<ConnectionArgs> = {}): Connection => connection.parse({ host: "lb1", ...args });

test("a host's name is enough: the rest has defaults", () => {
  expect(parse()).toEqual({ host: "lb1", port: 22, user: "root", dialErrorLimit: 10, perDialTimeout: 15 });
});

test("a bastion has the same defaults", () => {
  expect(parse({ proxy: { host: "bastion" } }).proxy).toEqual({ ...parse(), host: "bastion" });
});

describe("credentials", () => {
  /** The connection's argument, the variable, the key in the credential, and what it is called. */
  const CREDENTIALS = [
    ["privateKey", "LBSHIELD_PRIVATE_KEY", "privateKey", "the private key"],
    ["agentSocketPath", "SSH_AUTH_SOCK", "agent", "the agent"],
    ["password", "LBSHIELD_PASSWORD", "password", "the password"],
  ] as const;
  const none: Settings = () => undefined;
  const all: Settings = (key) => (key === "privateKeyPassword" ? undefined : `configured ${key}`);
  const ENV = Object.fromEntries(CREDENTIALS.map(([name, variable]) => [variable, `environment ${name}`]));
  const GIVEN = parse({
    privateKey: "own privateKey",
    agentSocketPath: "own agentSocketPath",
    password: "own password",
  });

  describe.each(CREDENTIALS)("%s", (name, variable, member, called) => {
    const given = parse({ [name]: "own" });
    const config: Settings = (key) => (key === name ? "configured" : undefined);
    const env = { [variable]: "environment" };
    const own = { from: `${called} of the connection`, [member]: "own" };
    const configured = { from: `${called} of the configuration`, [member]: "configured" };
    const environment = { from: `${called} of the environment`, [member]: "environment" };

    test.each<[string, Connection, Settings, NodeJS.ProcessEnv, object[]]>([
      [
        "is tried from the connection, then the configuration, then the environment",
        given,
        config,
        env,
        [own, configured, environment],
      ],
      ["of the configuration goes before the environment's", parse(), config, env, [configured, environment]],
      ["of the connection goes before the environment's", given, none, env, [own, environment]],
      ["of the environment serves alone", parse(), none, env, [environment]],
      ["is not there when nobody has one", parse(), none, {}, []],
      ["is none when it is empty", parse(), () => "", { [variable]: "" }, []],
      ["is tried once when two have the same", given, () => undefined, { [variable]: "own" }, [own]],
    ])("%s", (_name, dial, settings, variables, expected) => {
      expect(withCredentials(dial, settings, variables).credentials).toEqual(expected);
    });
  });

  test("are tried keys before agents before passwords", () => {
    const tried = withCredentials(GIVEN, all, ENV).credentials.map((c) => c.from);
    expect(tried).toEqual(
      CREDENTIALS.flatMap(([, , , called]) =>
        ["connection", "configuration", "environment"].map((where) => `${called} of the ${where}`),
      ),
    );
  });

  test.each<[string, Connection, Settings, NodeJS.ProcessEnv, string | undefined]>([
    [
      "the connection",
      parse({ privateKey: "k", privateKeyPassword: "own" }),
      () => "configured",
      { LBSHIELD_PRIVATE_KEY_PASSWORD: "environment" },
      "own",
    ],
    [
      "the configuration",
      parse({ privateKey: "k" }),
      (key) => (key === "privateKeyPassword" ? "configured" : undefined),
      { LBSHIELD_PRIVATE_KEY_PASSWORD: "environment" },
      "configured",
    ],
    [
      "the environment",
      parse({ privateKey: "k" }),
      none,
      { LBSHIELD_PRIVATE_KEY_PASSWORD: "environment" },
      "environment",
    ],
    ["nowhere", parse({ privateKey: "k" }), none, {}, undefined],
  ])("have the passphrase of %s", (_name, dial, settings, env, passphrase) => {
    expect(withCredentials(dial, settings, env).credentials[0]).toEqual({
      from: "the private key of the connection",
      privateKey: "k",
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  });

  test("have the passphrase that came with them, each its own", () => {
    const env = { LBSHIELD_PRIVATE_KEY: "k2", LBSHIELD_PRIVATE_KEY_PASSWORD: "p2" };
    const { credentials } = withCredentials(parse({ privateKey: "k1", privateKeyPassword: "p1" }), none, env);
    expect(credentials).toEqual([
      { from: "the private key of the connection", privateKey: "k1", passphrase: "p1" },
      { from: "the private key of the environment", privateKey: "k2", passphrase: "p2" },
    ]);
  });

  test("are told apart from the way to the host, which stays as it is", () => {
    const dial = parse({ user: "ops", port: 2222, hostKey: "SHA256:x", privateKey: "k" });
    expect(withCredentials(dial, none, {})).toEqual({
      host: "lb1",
      port: 2222,
      user: "ops",
      hostKey: "SHA256:x",
      dialErrorLimit: 10,
      perDialTimeout: 15,
      credentials: [{ from: "the private key of the connection", privateKey: "k" }],
    });
  });

  test("are secrets, all but the agent's socket", () => {
    expect(SECRET_MEMBERS).toEqual(["privateKey", "privateKeyPassword", "password"]);
  });
});

test.each([
  ["lb1", 22, "lb1"],
  ["lb1", 2222, "lb1:2222"],
  ["192.0.2.1", 22, "192.0.2.1"],
  ["192.0.2.1", 2222, "192.0.2.1:2222"],
  ["2001:db8::1", 22, "2001:db8::1"],
  ["2001:db8::1", 2222, "[2001:db8::1]:2222"],
])("%s, port %d is the endpoint %s", (host, port, expected) => {
  expect(endpoint({ host, port })).toBe(expected);
});
