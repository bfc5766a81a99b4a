import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";

import { SECRET_MEMBERS } from "../../provider/host/connection";
import { RESOURCES } from "../../provider/resources/registry";
import { SCHEMA_FILE, schemaText } from "../../tools/schema";
import { type Docs, Sources } from "../../tools/schema/docs";
import { packageSpec } from "../../tools/schema/package";
import { type NamedSpec, type PackageSpec, type Properties } from "../../tools/schema/spec";
import { NamedTypes } from "../../tools/schema/types";

describe("schema of the package", () => {
  let spec: PackageSpec;
  beforeAll(() => {
    spec = packageSpec(resolve(__dirname, "../.."));
  });

  const properties = (type: string): Properties => propertiesOf(spec.types[`lbshield:index:${type}`]);

  /** The names of the properties with a mark, e.g. `secret`. */
  const marked = (mark: "secret" | "replaceOnChanges", of: Properties) =>
    Object.keys(of).filter((key) => of[key]?.[mark] === true);

  test("schema.json is what the models say; if it is stale: npm run build && npm run schema", () => {
    expect(readFileSync(SCHEMA_FILE, "utf8")).toBe(schemaText());
  });

  test("has every resource, with its connection required and the name it has as a dynamic resource", () => {
    expect(Object.keys(spec.resources)).toEqual(RESOURCES.map(({ type }) => `lbshield:index:${type}`).toSorted());
    for (const { type, lines, taught } of RESOURCES) {
      const resource = spec.resources[`lbshield:index:${type}`]!;
      expect(resource.requiredInputs).toContain("connection");
      expect(resource.aliases).toEqual([{ type: `pulumi-nodejs:dynamic/lbshield:${type}` }]);
      expect(Object.keys(resource.properties ?? {})).toEqual([
        ...Object.keys(resource.inputProperties),
        ...lines,
        ...(taught ? ["learned"] : []),
      ]);
    }
  });

  test("requires as inputs what has no default, and has all of it as outputs", () => {
    const { required, requiredInputs } = spec.resources["lbshield:index:SynproxyRule"]!;
    expect(requiredInputs).toEqual(["chain", "match", "connection"]);
    expect(required).toEqual(["chain", "match", "options", "connection", "nft", "sysctl"]);
  });

  test("keeps credentials secret, of the host and of each bastion", () => {
    for (const type of ["Connection", "ConnectionProxy", "ConnectionProxyProxy", "ConnectionProxyProxyProxy"])
      expect(marked("secret", properties(type))).toEqual([...SECRET_MEMBERS]);
    for (const credentials of [spec.config.variables, spec.provider.inputProperties])
      expect(marked("secret", credentials)).toEqual([...SECRET_MEMBERS]);
  });

  test("replaces a resource when its host or port changes, not when a key or the bastion does", () => {
    expect(marked("replaceOnChanges", properties("Connection"))).toEqual(["host", "port"]);
    expect(marked("replaceOnChanges", properties("ConnectionProxy"))).toEqual([]);
  });

  test("takes credentials from the environment variables that the provider reads", () => {
    const names = Object.entries(spec.config.variables).map(([key, { defaultInfo }]) => [
      key,
      defaultInfo?.environment,
    ]);
    expect(Object.fromEntries(names)).toEqual({
      privateKey: ["LBSHIELD_PRIVATE_KEY"],
      privateKeyPassword: ["LBSHIELD_PRIVATE_KEY_PASSWORD"],
      password: ["LBSHIELD_PASSWORD"],
      agentSocketPath: ["SSH_AUTH_SOCK"],
    });
  });

  test("stores no credential of the environment in the state of an explicit provider", () => {
    for (const property of Object.values(spec.provider.inputProperties))
      expect(property).not.toHaveProperty("defaultInfo");
  });

  test("has an example of each resource, as one that other languages can leave out", () => {
    for (const { description } of Object.values(spec.resources))
      expect(description).toMatch(
        /\{\{% example %\}\}\n## Example Usage\n\n```typescript\n[^]+\n```\n\{\{% \/example %\}\}/,
      );
  });
});

describe("schema of a model", () => {
  /** Says `about NAME` of everything, except of what `without` names. */
  const docs = (name: string, without?: string): Docs => ({
    text: () => (name === without ? "" : `about ${name}`),
    member: (member) => docs(member, without),
  });

  const convert = (shape: z.ZodRawShape) => {
    const types = new NamedTypes();
    const { properties, required } = types.inputs("Try", z.strictObject(shape), docs("Try"));
    return { properties, required, types: types.byToken() };
  };

  test.each([
    ["an integer", z.int().min(1), { type: "integer" }],
    ["a list", z.array(z.string()), { type: "array", items: { type: "string" } }],
    ["a record", z.record(z.string(), z.boolean()), { type: "object", additionalProperties: { type: "boolean" } }],
    ["a union", z.union([z.number(), z.string()]), { oneOf: [{ type: "number" }, { type: "string" }] }],
    ["what is transformed, as it is written", z.string().transform(Number), { type: "string" }],
    ["a default", z.int().default(5), { type: "integer", default: 5 }],
  ])("has %s", (_, model, type) => {
    expect(convert({ part: model }).properties.part).toEqual({ ...type, description: "about part" });
  });

  test("requires what has no default and is not optional", () => {
    const shape = { a: z.string(), b: z.string().optional(), c: z.string().default("x"), d: z.object({}).prefault({}) };
    expect(convert(shape).required).toEqual(["a"]);
  });

  test("names an object after its path, with its own documentation", () => {
    const { properties, types } = convert({ outer: z.strictObject({ inner: z.strictObject({ leaf: z.string() }) }) });
    expect(properties.outer).toEqual({ $ref: "#/types/lbshield:index:TryOuter", description: "about outer" });
    expect(types["lbshield:index:TryOuterInner"]).toEqual({
      type: "object",
      description: "about inner",
      properties: { leaf: { type: "string", description: "about leaf" } },
      required: ["leaf"],
    });
  });

  test("makes one enum of the literals in a union", () => {
    const model = z.union([z.boolean(), z.literal("always"), z.enum(["once", "twice"])]);
    const { properties, types } = convert({ how: model });
    expect(properties.how).toMatchObject({ oneOf: [{ type: "boolean" }, { $ref: "#/types/lbshield:index:TryHow" }] });
    expect(types["lbshield:index:TryHow"]).toEqual({
      type: "string",
      description: "about how",
      enum: [{ value: "always" }, { value: "once" }, { value: "twice" }],
    });
  });

  test("names the values of an enum where Go would take one for a type of its own", () => {
    const { types } = convert({ chain: z.enum(["input", "forward"]) });
    expect(types["lbshield:index:TryChain"]).toMatchObject({
      enum: [
        { name: "InputChain", value: "input" },
        { name: "ForwardChain", value: "forward" },
      ],
    });
  });

  test("has a resource's types once, whether it is one of its own or a part of another", () => {
    const inner = z.strictObject({ leaf: z.string() });
    const types = new NamedTypes();
    types.inputs("Thing", z.strictObject({ inner }), docs("Thing"));
    const part = z.strictObject({ inner }).meta({ title: "ThingPart", description: "A part.", typesOf: "Thing" });
    const { properties } = types.inputs("Whole", z.strictObject({ things: z.record(z.string(), part) }), docs("Whole"));
    expect(properties.things).toEqual({
      type: "object",
      additionalProperties: { $ref: "#/types/lbshield:index:ThingPart" },
      description: "about things",
    });
    expect(Object.keys(types.byToken())).toEqual(["lbshield:index:ThingInner", "lbshield:index:ThingPart"]);
    expect(types.byToken()["lbshield:index:ThingPart"]).toMatchObject({
      description: "A part.",
      properties: { inner: { $ref: "#/types/lbshield:index:ThingInner" } },
    });
  });

  test("leaves out what a program can only leave out", () => {
    expect(convert({ ecn: z.undefined().optional(), mss: z.int() }).properties).not.toHaveProperty("ecn");
  });

  test("is not made when properties have no doc comment, and names them", () => {
    const types = new NamedTypes();
    const model = z.strictObject({ outer: z.strictObject({ bare: z.string() }), bare: z.string() });
    types.inputs("Try", model, docs("Try", "bare"));
    expect(() => types.byToken()).toThrow("no doc comment: Try.outer.bare, Try.bare");
  });

  test("is not made of what Pulumi has no type for", () => {
    expect(() => convert({ when: z.date() })).toThrow("Try.when: Pulumi's schema has no type for {}");
  });

  test("is not made when two types would have one name; a title tells them apart", () => {
    const a = z.strictObject({ a: z.string() });
    const b = z.strictObject({ b: z.string() });
    expect(() => convert({ either: z.union([a, b]) })).toThrow("Try.either: two types are called TryEither");
    const { types } = convert({ either: z.union([a.meta({ title: "TryA" }), b.meta({ title: "TryB" })]) });
    expect(Object.keys(types)).toEqual(["lbshield:index:TryA", "lbshield:index:TryB"]);
  });
});

describe("schema documentation", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lbshield-schema-"));
    writeFileSync(join(folder, "tsconfig.json"), '{ "compilerOptions": { "strict": true, "types": [] } }');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const read = (source: string) => {
    writeFileSync(join(folder, "model.ts"), source);
    return new Sources(folder, ["model.ts"]).of("model.ts", "Args");
  };

  test("is found through types that are inferred, optional, in lists, in records and in unions", () => {
    const args = read(`
      const inner = {
        /** The leaf. */
        leaf: 1,
      };
      type Inferred<T> = { [K in keyof T]?: T[K] };
      export interface Args {
        list?: readonly Inferred<typeof inner>[];
        record: Record<string, Inferred<typeof inner>>;
        union: boolean | Inferred<typeof inner>;
      }`);
    for (const at of ["list", "record", "union"]) expect(args.member(at)?.member("leaf")?.text()).toBe("The leaf.");
    expect(args.member("nothing")).toBeUndefined();
  });

  test("has paragraphs on one line each, and code as it is written", () => {
    const args = read(
      [
        "/**",
        " * One",
        " * two.",
        " *",
        " * - three",
        " * - four",
        " * ```ts",
        " * a {",
        " *   b }",
        " * ```",
        " */",
      ].join("\n") + "export interface Args {}",
    );
    expect(args.text()).toBe("One two.\n\n- three\n- four\n```ts\na {\n  b }\n```");
  });

  test("is refused when a comment ends in the middle because something in it reads as a tag", () => {
    const args = read(
      "/** The arguments of @pulumi/command, so that one object serves both. */ export interface Args {}",
    );
    expect(() => args.text()).toThrow("Args: its doc comment ends at @pulumi");
  });
});

const propertiesOf = (spec: NamedSpec | undefined): Properties =>
  spec !== undefined && "properties" in spec ? spec.properties : {};
