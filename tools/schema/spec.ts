/** Pulumi's package schema, as far as it is written here. Source: pkg/codegen/schema/pulumi.json of pulumi/pulumi. */

export type Primitive = "boolean" | "integer" | "number" | "string";

export type TypeSpec =
  | { readonly type: Primitive }
  | { readonly type: "array"; readonly items: TypeSpec }
  | { readonly type: "object"; readonly additionalProperties: TypeSpec }
  | { readonly $ref: string }
  | { readonly oneOf: readonly TypeSpec[] };

/** What a property may have beside its type. */
export interface Marks {
  readonly secret?: true;
  readonly replaceOnChanges?: true;
  readonly defaultInfo?: { readonly environment: readonly string[] };
}

export type PropertySpec = TypeSpec &
  Marks & {
    readonly description: string;
    readonly default?: boolean | number | string;
  };

export type Properties = Readonly<Record<string, PropertySpec>>;

export interface ObjectSpec {
  readonly type: "object";
  readonly description: string;
  readonly properties: Properties;
  readonly required: readonly string[];
}

export interface EnumSpec {
  readonly type: Primitive;
  readonly description: string;
  readonly enum: readonly { readonly name?: string; readonly value: boolean | number | string }[];
}

export type NamedSpec = ObjectSpec | EnumSpec;

export interface ResourceSpec {
  readonly description: string;
  readonly properties?: Properties;
  readonly required?: readonly string[];
  readonly inputProperties: Properties;
  readonly requiredInputs?: readonly string[];
  readonly aliases?: readonly { readonly type: string }[];
}

export interface PackageSpec {
  readonly name: string;
  readonly displayName: string;
  readonly version: string;
  readonly description: string;
  readonly keywords: readonly string[];
  readonly license: string;
  readonly publisher: string;
  readonly language: Readonly<Record<string, object>>;
  readonly config: { readonly variables: Properties };
  readonly types: Readonly<Record<string, NamedSpec>>;
  readonly provider: ResourceSpec;
  readonly resources: Readonly<Record<string, ResourceSpec>>;
}
