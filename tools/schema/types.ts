/** Zod models as Pulumi types. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";

import { type Docs } from "./docs";
import { type EnumSpec, type Marks, type NamedSpec, type ObjectSpec, type PropertySpec, type TypeSpec } from "./spec";

type Json = z.core.JSONSchema.JSONSchema;
type Constant = boolean | number | string;

/** What a property has beside its type, by the name of the type that it is a property of. */
type MarksOf = (owner: string, property: string) => Marks;

/** Types that have a name in the schema, found while models are converted. */
export class NamedTypes {
  private readonly found = new Map<string, NamedSpec>();
  private readonly undocumented: string[] = [];

  constructor(private readonly marks: MarksOf = () => ({})) {}

  /** The properties that a program may write. Its own name is `name`, and types in it are named after it. */
  inputs(name: string, model: z.ZodType, docs: Docs): ObjectSpec {
    return this.object([name], toJson(model), docs);
  }

  /** Makes an object a named type itself. */
  define(name: string, model: z.ZodType, docs: Docs): TypeSpec {
    return this.name([name], this.inputs(name, model, docs));
  }

  /** All of them by token. An error when a property has no doc comment: it is all the documentation there is. */
  byToken(): Readonly<Record<string, NamedSpec>> {
    if (this.undocumented.length > 0) throw new Error(`no doc comment: ${this.undocumented.join(", ")}`);
    const byName = [...this.found].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(byName.map(([name, spec]) => [token(name), spec]));
  }

  private object(path: readonly string[], json: Json, docs: Docs): ObjectSpec {
    const possible = Object.entries(json.properties ?? {}).filter(([, property]) => !isNever(property));
    return {
      type: "object",
      description: json.description ?? docs.text(),
      properties: Object.fromEntries(
        possible.map(([key, property]) => [key, this.property(path, key, jsonOf(property), docs.member(key))]),
      ),
      required: json.required ?? [],
    };
  }

  private property(owner: readonly string[], key: string, json: Json, docs: Docs = NO_DOCS): PropertySpec {
    const path = [...owner, key];
    if (docs.text() === "") this.undocumented.push(path.join("."));
    return {
      ...this.typeOf(path, json, docs),
      description: docs.text(),
      // Pulumi has defaults of constants only; what an object defaults to, its properties' own defaults say.
      ...(isConstant(json.default) ? { default: json.default } : {}),
      ...this.marks(typeName(owner), key),
    };
  }

  private typeOf(path: readonly string[], json: Json, docs: Docs): TypeSpec {
    const all = alternatives(json);
    const constants = all.flatMap(constantsOf);
    const types = [
      ...all.filter((one) => constantsOf(one).length === 0).map((one) => this.single(path, one, docs)),
      ...(constants.length > 0 ? [this.name(path, enumOf(path, constants, docs))] : []),
    ];
    return types.length === 1 && types[0] ? types[0] : { oneOf: types };
  }

  private single(path: readonly string[], json: Json, docs: Docs): TypeSpec {
    switch (json.type) {
      case "boolean":
      case "integer":
      case "number":
      case "string":
        return { type: json.type };
      case "array":
        return { type: "array", items: this.typeOf(path, jsonOf(json.items), docs) };
      case "object":
        return json.properties
          ? this.name(json.title === undefined ? path : [json.title], this.object(within(path, json), json, docs))
          : { type: "object", additionalProperties: this.typeOf(path, jsonOf(json.additionalProperties), docs) };
      default:
        throw new Error(`${path.join(".")}: Pulumi's schema has no type for ${JSON.stringify(json)}`);
    }
  }

  private name(path: readonly string[], spec: NamedSpec): TypeSpec {
    const name = typeName(path);
    const other = this.found.get(name);
    if (other !== undefined && !isDeepStrictEqual(other, spec))
      throw new Error(`${path.join(".")}: two types are called ${name}; name one with .meta({ title: "..." })`);
    this.found.set(name, spec);
    return { $ref: `#/types/${token(name)}` };
  }
}

export const token = (name: string): string => `lbshield:index:${name}`;

/** The properties that the canonical form of a model always has. */
export const alwaysThere = (model: z.ZodType): readonly string[] =>
  z.toJSONSchema(model, { io: "output", unrepresentable: "any" }).required ?? [];

/** What stands twice in a package, as a resource and in another, has its types once. */
const within = (path: readonly string[], json: Json): readonly string[] =>
  typeof json.typesOf === "string" ? [json.typesOf] : path;

const NO_DOCS: Docs = { text: () => "", member: () => undefined };

/** Zod's own rendering; a property that can only be left out, to be refused with a reason, becomes `not`. */
const toJson = (model: z.ZodType): Json =>
  z.toJSONSchema(model, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "undefined") jsonSchema.not = {};
    },
  });

const jsonOf = (json: Json["items"]): Json => (typeof json === "object" && !Array.isArray(json) ? json : {});

const isNever = (json: Json | boolean): boolean => typeof json === "object" && json.not !== undefined;

const isConstant = (value: unknown): value is Constant =>
  typeof value === "boolean" || typeof value === "number" || typeof value === "string";

/** The members of a union, also of unions within it. */
function alternatives(json: Json): readonly Json[] {
  const members = json.anyOf ?? json.oneOf;
  if (members !== undefined) return members.flatMap(alternatives);
  return Array.isArray(json.type) ? json.type.map((type) => ({ type })) : [json];
}

const constantsOf = (json: Json): readonly Constant[] =>
  (json.const === undefined ? (json.enum ?? []) : [json.const]).filter(isConstant);

function enumOf(path: readonly string[], values: readonly Constant[], docs: Docs): EnumSpec {
  const [type, ...more] = new Set(values.map((value) => typeof value));
  if (more.length > 0 || (type !== "boolean" && type !== "number" && type !== "string"))
    throw new Error(`${path.join(".")}: an enum has values of one type, not ${JSON.stringify(values)}`);
  // Go's constant would have the name of a type that is generated for the enum: SynproxyRuleChainInput.
  const clashes = values.some((value) => GO_TYPES.includes(value.toString().toLowerCase()));
  const named = (value: Constant) => (clashes ? { name: typeName([value.toString(), path.at(-1) ?? ""]) } : {});
  return { type, description: docs.text(), enum: values.map((value) => ({ ...named(value), value })) };
}

const GO_TYPES = ["input", "output", "array", "map", "ptr"];

const typeName = (path: readonly string[]): string =>
  path.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("");
