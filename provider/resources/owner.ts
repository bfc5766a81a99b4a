/**
 * Who a resource is. Its name on the host is `kind/project/stack/name`, which nft accepts as an identifier: whoever
 * lists the ruleset sees whose each chain is, and a conflict can name its owner.
 */
import { createHash } from "node:crypto";

/** nft takes identifiers of at most 255 bytes: each of the three parts of an owner gets at most this many. */
const LONGEST = 50;

/** `project/stack/name`, as the SDK passes it in: a dynamic provider learns no URN. */
export type Owner = string;

/** The resource's name on a host. Distinct owners have distinct names: what must be rewritten gets a digest. */
export function hostName(kind: string, owner: Owner): string {
  const [project = "", stack = "", ...name] = owner.split("/");
  const parts = [project, stack, name.join("/")].map((part) =>
    part.replace(/[^A-Za-z0-9_./-]/g, "_").slice(0, LONGEST),
  );
  const plain = parts.join("/");
  return `${kind}/${plain}${plain === owner ? "" : `-${digest(owner)}`}`;
}

/** A resource in Pulumi's state: its name on the host, by which way the host is reached, and which creation of it it is. */
export interface ResourceId {
  readonly name: string;
  readonly via: string;
  /** Absent in ids of before there were any. */
  readonly creation?: string;
}

export const printId = ({ name, via, creation }: Required<ResourceId>): string => `${name}@${via}#${creation}`;

export function parseId(id: string): ResourceId | undefined {
  const [, name, via, creation] = /^(.*)@([^@#]*)(?:#([0-9a-f]+))?$/.exec(id) ?? [];
  return name === undefined || via === undefined
    ? undefined
    : { name, via, ...(creation === undefined ? {} : { creation }) };
}

/** What the names of a resource's own chains begin with, e.g. `synproxy/acme/prod/web/`. */
export const ownPrefix = (name: string): string => `${name}/`;

/**
 * The same of a part of a resource, e.g. `lb/acme/prod/lb1/synproxy.web.`: one slash ends the owner, dots divide what is
 * its own. `part` has at most 32 characters, so that the longest name stays within nft's 255 bytes.
 */
export const partPrefix = (prefix: string, kind: string, part?: string): string =>
  `${prefix}${kind}.${part === undefined ? "" : `${part}.`}`;

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);
