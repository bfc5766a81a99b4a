import {
  type Connection,
  type ConnectionArgs,
  SECRET_MEMBERS,
  type Settings,
  connection,
  endpoint,
  wayTo,
  withCredentials,
} from "../../../provider/host/connection";

const parse = (args: Partial<ConnectionArgs> = {}): Connection => connection.parse({ host: "lb1", ...args });

test("a host's name is enough: the rest has defaults", () => {
  expect(parse()).toEqual({ host: "lb1", port: 22, user: "root", dialErrorLimit: 10, perDialTimeout: 15 });
});

test("a bastion has the same defaults, and so has one behind it", () => {
  const { proxy } = parse({ proxy: { host: "b", proxy: { host: "c" } } });
  expect(proxy).toEqual({ ...parse(), host: "b", proxy: { ...parse(), host: "c" } });
});

/** What is wrong with a connection: each problem with where it is. */
const problems = (args: object): string[] =>
  connection.safeParse({ host: "lb1", ...args }).error?.issues.map((i) => `${i.path.join(".")}: ${i.message}`) ?? [];

test("the way to a host begins with the bastion that has none before it", () => {
  const way = wayTo(parse({ proxy: { host: "c", proxy: { host: "b", port: 2222, proxy: { host: "a" } } } }));
  expect(way.map(({ host, port }) => [host, port])).toEqual([
    ["a", 22],
    ["b", 2222],
    ["c", 22],
    ["lb1", 22],
  ]);
  for (const dial of way) expect(dial).not.toHaveProperty("proxy");
});

test("a fourth bastion in a row is refused", () => {
  const four = { host: "a", proxy: { host: "b", proxy: { host: "c", proxy: { host: "d" } } } };
  expect(problems({ proxy: four })).toEqual([
    "proxy.proxy.proxy.proxy: an object: three bastions in a row are the most",
  ]);
});

describe("host", () => {
  test.each(["lb1", "lb1.example.net", "lb_1", "192.0.2.1", "2001:db8::1", "::1", "fe80::1%eth0", "bücher.example"])(
    "may be %s",
    (host) => {
      expect(problems({ host })).toEqual([]);
    },
  );

  test.each([
    ["ops@lb1", 'write host: "lb1", user: "ops"'],
    ["lb1:2222", 'write host: "lb1", port: 2222'],
    ["ops@lb1:2222", 'write host: "lb1", port: 2222, user: "ops"'],
    ["ssh://ops@lb1:2222/", 'write host: "lb1", port: 2222, user: "ops"'],
    ["ops@corp@lb1", 'write host: "lb1", user: "ops@corp"'],
    ["[2001:db8::1]", 'write host: "2001:db8::1"'],
    ["[2001:db8::1]:2222", 'write host: "2001:db8::1", port: 2222'],
    ["ops@[2001:db8::1]", 'write host: "2001:db8::1", user: "ops"'],
  ])("%s is told where each part goes", (host, advice) => {
    expect(problems({ host })).toEqual([`host: "${host}": host is a name or an address, nothing else: ${advice}`]);
  });

  test.each(["2001:db8::zz", "lb 1", "lb1/24", "lb1:ssh", "[lb1", "@", ":22", "https://lb1/x"])(
    "%j is no host",
    (host) => {
      expect(problems({ host })).toEqual([`host: ${JSON.stringify(host)}: host is a name or an address, nothing else`]);
    },
  );

  test("of a bastion is looked at as well", () => {
    expect(problems({ proxy: { host: "b", proxy: { host: "ops@c" } } })).toEqual([
      'proxy.proxy.host: "ops@c": host is a name or an address, nothing else: write host: "c", user: "ops"',
    ]);
  });
});

describe("hostKey", () => {
  const ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKQKq7Yn5dRjGyCGRkeLKVTCWSmXJC4tgsi3i7Yw3Vxn";
  const PRINT = `SHA256:${"x".repeat(43)}`;

  test.each([
    ED25519,
    `${ED25519} root@lb1`,
    `lb1 ${ED25519}`,
    `${ED25519}\nssh-dss AAAAB3NzaC1kc3MAAACB`,
    PRINT,
    `${PRINT}=`,
  ])("may be %j", (hostKey) => {
    expect(problems({ hostKey })).toEqual([]);
  });

  test.each([
    "ssh-ed25519",
    ED25519.slice(12),
    "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIKQK",
    "MD5:aa:bb",
    "SHA256:short",
    "/etc/ssh/key.pub",
  ])("%j is told what it should be", (hostKey) => {
    expect(problems({ hostKey })).toEqual([
      `hostKey: ${JSON.stringify(hostKey)}: hostKey is a key, like "ssh-ed25519 AAAA...", or its fingerprint, "SHA256:..." (ssh-keygen -lf shows it)`,
    ]);
  });

  test.each([
    "ssh-dss AAAAB3NzaC1kc3MAAACB",
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIA==",
    "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIA==",
  ])("of a type that cannot be verified is refused: %s", (hostKey) => {
    expect(problems({ hostKey })[0]).toContain(
      "keys of this type cannot be verified, only ssh-ed25519, ecdsa-sha2-nistp256",
    );
  });
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
    const hostKey = `SHA256:${"x".repeat(43)}`;
    const dial = parse({ user: "ops", port: 2222, hostKey, privateKey: "k" });
    expect(withCredentials(dial, none, {})).toEqual({
      host: "lb1",
      port: 2222,
      user: "ops",
      hostKey,
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
