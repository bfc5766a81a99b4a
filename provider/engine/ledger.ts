/**
 * What the host itself remembers: what each resource applied, and the values that were there before anybody claimed
 * them. State files get lost and are many; the host is one. It is a single file, so that one rename is the moment at
 * which a change stands, and a power cut leaves the old one or the new one.
 */
import { type Wanted } from "../kernel/object";
import { type Declaration } from "./desired";

export const FOLDER = "/var/lib/lbshield";
export const LEDGER = `${FOLDER}/ledger`;
/** The next one, written and synced before a change begins: a full disk is found then. */
export const NEXT = `${FOLDER}/ledger.next`;

/** A record is a declaration, with a version so that a later release can read it. */
export interface LedgerRecord extends Declaration {
  readonly version: 1;
}

export interface Ledger {
  /** The transaction that wrote it. */
  readonly transaction: string | undefined;
  readonly records: ReadonlyMap<string, LedgerRecord>;
  /** The value before the first claim, by key. */
  readonly originals: ReadonlyMap<string, string>;
  /** What a restart needs, by kind and name: see boot.ts. */
  readonly boot: ReadonlyMap<string, string>;
}

export interface LedgerEdit {
  readonly write: readonly LedgerRecord[];
  readonly remove: readonly string[];
  readonly keepOriginals: ReadonlyMap<string, string>;
  readonly dropOriginals: readonly string[];
  /** All that a restart needs, and what of it is new. */
  readonly boot: ReadonlyMap<string, string>;
  readonly writeBoot: ReadonlyMap<string, string>;
  readonly dropBoot: readonly string[];
  /** Is anything left in it afterwards? */
  readonly empty: boolean;
}

/** A value that the kernel shows otherwise than it was written is no reason to write it again. */
export const isNoEdit = (e: LedgerEdit): boolean =>
  e.write.length + e.remove.length + e.keepOriginals.size + e.dropOriginals.length + e.dropBoot.length === 0 &&
  [...e.writeBoot.keys()].every((key) => key.startsWith("set\t"));

export const toRecord = ({ name, label, via, creation, needs, wanted }: Declaration): LedgerRecord => ({
  version: 1,
  name,
  label,
  ...(via === undefined ? {} : { via }),
  ...(creation === undefined ? {} : { creation }),
  needs,
  wanted,
});

const HEAD = "lbshield-ledger";
const BOOT = ["nft", "set", "run"];
const recordKey = (name: string): string => `record\t${name}`;
const originalKey = (key: string): string => `original\t${key}`;

export const ledgerHead = (transaction: string): string => `${HEAD}\t${transaction}`;
export const printRecord = (record: LedgerRecord): string => JSON.stringify(record);

/** The lines that are new in an edited ledger. */
export const newLines = (edit: LedgerEdit): string[] => [
  ...[...edit.keepOriginals].map(([key, value]) => `${originalKey(key)}\t${value}`),
  ...edit.write.map((record) => `${recordKey(record.name)}\t${printRecord(record)}`),
  ...[...edit.writeBoot].map(([key, value]) => `${key}\t${value}`),
];

/** The first two fields of the lines that go. */
export const goneLines = (edit: LedgerEdit): string[] => [
  ...edit.dropOriginals.map(originalKey),
  ...[...edit.remove, ...edit.write.map((r) => r.name)].map(recordKey),
  ...edit.dropBoot,
  ...edit.writeBoot.keys(),
];

/** Lines that were read before need not be read again: a host's ledger can be megabytes. */
export type RecordCache = Map<string, LedgerRecord>;

/** Throws when a line is not one of ours: a ledger that cannot be read must not be overwritten. */
export function parseLedger(text: string, cache: RecordCache = new Map()): Ledger {
  const records = new Map<string, LedgerRecord>();
  const originals = new Map<string, string>();
  const boot = new Map<string, string>();
  let transaction: string | undefined;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [kind = "", name = "", ...rest] = line.split("\t");
    if (kind === HEAD) transaction = name;
    else if (kind === "original") originals.set(name, rest.join("\t"));
    else if (BOOT.includes(kind)) boot.set(`${kind}\t${name}`, rest.join("\t"));
    else {
      const record = cache.get(line) ?? parseRecord(kind, rest.join("\t"), line);
      cache.set(line, record);
      records.set(name, record);
    }
  }
  return { transaction, records, originals, boot };
}

function parseRecord(kind: string, json: string, line: string): LedgerRecord {
  const record = kind === "record" ? parseJson(json) : null;
  if (record?.version !== 1 || typeof record.name !== "string" || !Array.isArray(record.wanted))
    throw new Error(`the ledger ${LEDGER} has a line that is not ours: ${line.slice(0, 80)}`);
  return record as LedgerRecord;
}

function parseJson(line: string): Partial<LedgerRecord> | null {
  try {
    return JSON.parse(line) as Partial<LedgerRecord> | null;
  } catch {
    return null;
  }
}

export const sameDeclaration = (a: LedgerRecord | undefined, b: Declaration): boolean =>
  a !== undefined && printRecord(a) === printRecord(toRecord(b));

/** Somebody wants a shared object. */
export interface Claim {
  readonly label: string;
  readonly wanted: Wanted;
}
