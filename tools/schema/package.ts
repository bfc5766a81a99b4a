/** The package: its resources, its configuration, and what it says of itself. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

import { ENVIRONMENT, SECRET_MEMBERS, connection, type endpoint } from "../../provider/host/connection";
import { RESOURCES } from "../../provider/resources/registry";
import { type ResourceType } from "../../provider/resources/resource";
import { type Docs, Sources } from "./docs";
import { type Marks, type PackageSpec, type Properties, type PropertySpec, type ResourceSpec } from "./spec";
import { NamedTypes, alwaysThere, token } from "./types";

/** The schema of the package whose sources are at `root`. */
export function packageSpec(root: string): PackageSpec {
  const sources = new Sources(root, [CONNECTION, ...RESOURCES.flatMap(({ type }) => [modelFile(type), sdkFile(type)])]);
  const types = new NamedTypes(marks);
  const dial = sources.of(CONNECTION, "ConnectionArgs");
  const reach: PropertySpec = {
    ...types.define("Connection", connection, { text: () => CONNECTION_TEXT, member: (name) => dial.member(name) }),
    description: "How to reach the host that it is for. Another host or port makes it another resource.",
  };
  const resources = RESOURCES.map((r) => [token(r.type), resourceSpec(r, sources, types, reach)] as const);
  const variables = credentials(dial);
  return {
    ...ownWords(root),
    language: LANGUAGES,
    config: { variables },
    types: types.byToken(),
    provider: {
      description: "Credentials for the hosts of a stack. What is left out comes from the environment.",
      // Without defaultInfo: an SDK would store what the environment says today, such as the socket of an agent that
      // is gone tomorrow, and stored configuration goes before the environment.
      inputProperties: Object.fromEntries(
        Object.entries(variables).map(([key, { defaultInfo: _, ...variable }]) => [key, variable]),
      ),
    },
    resources: Object.fromEntries(resources.toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

const CONNECTION = "provider/host/connection.ts";
const CONNECTION_TEXT =
  "How to reach a host over SSH. The host's key is always verified: by `hostKey`, or by known_hosts.";

/** `synproxy-rule` of SynproxyRule. */
const kebab = (type: string): string => type.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
const modelFile = (type: string): string => `provider/resources/${kebab(type)}/model.ts`;
const sdkFile = (type: string): string => `sdk/nodejs/${kebab(type)}.ts`;

function resourceSpec(resource: ResourceType, sources: Sources, types: NamedTypes, reach: PropertySpec): ResourceSpec {
  const { type, lines, model } = resource;
  const sdk = sources.of(sdkFile(type), type);
  if (sdk.text() === "") throw new Error(`no doc comment: class ${type} in ${sdkFile(type)}`);
  const own = types.inputs(type, model, sources.of(modelFile(type), `${type}Args`));
  const inputProperties = { ...own.properties, connection: reach };
  return {
    description: withExamples(sdk.text()),
    properties: {
      ...inputProperties,
      ...Object.fromEntries(lines.map((tool) => [tool, linesSpec(type, tool, sdk)])),
      ...(resource.taught ? { learned: learnedSpec(type, sdk) } : {}),
    },
    required: [...alwaysThere(model), "connection", ...lines],
    inputProperties,
    requiredInputs: [...own.required, "connection"],
    aliases: [{ type: `pulumi-nodejs:dynamic/lbshield:${type}` }],
  };
}

/** The host's lines by kernel object: what the SDK's class declares beside what it takes. */
function linesSpec(type: string, tool: string, sdk: Docs): PropertySpec {
  const description = sdk.member(tool)?.text() ?? "";
  if (description === "") throw new Error(`no doc comment: ${type}.${tool} in ${sdkFile(type)}`);
  return { type: "object", additionalProperties: { type: "string" }, description };
}

/** TCP options, or such by part. */
function learnedSpec(type: string, sdk: Docs): PropertySpec {
  const description = sdk.member("learned")?.text() ?? "";
  if (description === "") throw new Error(`no doc comment: ${type}.learned in ${sdkFile(type)}`);
  return { $ref: "pulumi.json#/Any", description };
}

/** The shortcodes let code generation leave an example out of the documentation of other languages. */
const withExamples = (text: string): string =>
  text.replace(
    /^```ts\n[^]*?^```$/gm,
    (block) =>
      `{{% examples %}}\n{{% example %}}\n## Example Usage\n\n${block.replace("```ts", "```typescript")}\n` +
      `{{% /example %}}\n{{% /examples %}}`,
  );

/** What `endpoint` looks at, and nothing else: a rotated key must not replace what protects a service. */
const ENDPOINT: Readonly<Record<keyof Parameters<typeof endpoint>[0], true>> = { host: true, port: true };

const isSecret = (key: string): boolean => SECRET_MEMBERS.some((member) => member === key);

const marks = (owner: string, key: string): Marks => ({
  ...(owner.startsWith("Connection") && isSecret(key) ? { secret: true } : {}),
  ...(owner === "Connection" && key in ENDPOINT ? { replaceOnChanges: true } : {}),
});

/** Configuration variables: the credentials that need not stand in a program. */
function credentials(docs: Docs): Properties {
  const variable = ([key, name]: [string, string]): [string, PropertySpec] => [
    key,
    {
      type: "string",
      description: docs.member(key)?.text() ?? "",
      ...(isSecret(key) ? { secret: true } : {}),
      defaultInfo: { environment: [name] },
    },
  ];
  return Object.fromEntries(Object.entries(ENVIRONMENT).map(variable));
}

const PACKAGE_JSON = z.object({
  version: z.string(),
  description: z.string(),
  license: z.string(),
  keywords: z.array(z.string()),
});

/** `category/` and `kind/` are the Pulumi registry's. */
function ownWords(root: string) {
  const words = PACKAGE_JSON.parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
  const subjects = words.keywords.filter((word) => !word.startsWith("pulumi"));
  return {
    name: "lbshield",
    displayName: "lbshield",
    version: words.version,
    description: words.description,
    keywords: ["pulumi", "category/network", "kind/native", ...subjects],
    license: words.license,
    publisher: "lbshield",
  };
}

const LANGUAGES = {
  csharp: { namespaces: { lbshield: "Lbshield" }, packageReferences: { Pulumi: "3.*" }, respectSchemaVersion: true },
  go: { generateResourceContainerTypes: true, respectSchemaVersion: true },
  java: { buildFiles: "gradle" },
  nodejs: { packageName: "pulumi-lbshield", respectSchemaVersion: true },
  python: { packageName: "pulumi_lbshield", pyproject: { enabled: true }, respectSchemaVersion: true },
};
