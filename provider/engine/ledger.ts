/**
 * What the host itself remembers: one file for each resource with what it applied, and the values that were there
 * before anybody claimed them. State files get lost and are many; the host is one.
 */
import { type Wanted } from "../kernel/object";
import { type Declaration } from "./desired";

export const LEDGER = "/var/lib/lbshield";
export const RESOURCES = `${LEDGER}/resources`;
export const ORIGINALS = `${LEDGER}/original`;

/** A record is a declaration, with a version so that a later release can read it. */
export interface LedgerRecord extends Declaration {
  readonly version: 1;
}

export const toRecord = ({ name, label, via, layouts, wanted }: Declaration): LedgerRecord => ({
  version: 1,
  name,
  label,
  ...(via === undefined ? {} : { via }),
  layouts,
  wanted,
});

/** A file's name: a slash would be a folder, and neither names nor keys have colons. */
const fileName = (name: string): string => name.replaceAll("/", ":");
export const recordFile = (name: string): string => `${RESOURCES}/${fileName(name)}`;
export const originalFile = (key: string): string => `${ORIGINALS}/${fileName(key)}`;
export const originalKey = (file: string): string => file.replaceAll(":", "/");

export const printRecord = (record: LedgerRecord): string => JSON.stringify(record);

/** Throws when a line is not a record: a ledger that cannot be read must not be overwritten. */
export function parseRecord(line: string): LedgerRecord {
  const record = parseJson(line);
  if (record?.version !== 1 || typeof record.name !== "string" || !Array.isArray(record.wanted))
    throw new Error(`the ledger in ${RESOURCES} has a file that is not a record of ours: ${line.slice(0, 80)}`);
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

/** The shared objects that anybody but these still wants, with who wants them. */
export function claimsBut(
  records: readonly LedgerRecord[],
  except: readonly string[],
): { label: string; wanted: Wanted }[] {
  return records
    .filter((r) => !except.includes(r.name))
    .flatMap((r) => r.wanted.filter((w) => w.shared).map((wanted) => ({ label: r.label, wanted })));
}
