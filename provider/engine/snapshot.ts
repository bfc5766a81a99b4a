/** One look at a host: exactly what is needed to plan, in one command. */
import { type Element, type NftObject, type NftObjects, byId } from "../kernel/nftables/objects";
import { parseEcho, parseTables } from "../kernel/nftables/listing";
import { type Wanted, sysctlsOf, toolsOf } from "../kernel/object";
import { canonicalValue, sysctlPath } from "../kernel/sysctl/sysctl";
import { TOOLS, type ToolObject, type ToolObjects, ofTool, toolId } from "../kernel/tools";
import { BOOT_LOOK, type Boot, parseBoot } from "./boot";
import { TABLE } from "./desired";
import { FILES_LOOK, SysctlFiles } from "./sysctl-files";
import { LEDGER, type Ledger, type RecordCache, parseLedger } from "./ledger";

/** The part of a snapshot that resources read. */
export interface Observed {
  /** The table's objects; empty when there is no table. */
  readonly nft: NftObjects;
  /** Values by dotted key; what the host does not have is absent. */
  readonly sysctl: ReadonlyMap<string, string>;
  /** Rules, routes, IPVS and modules, as far as they were asked for. */
  readonly objects: ToolObjects;
}

export interface Snapshot extends Observed, Ledger {
  /** Would it restore itself? Undefined where nobody has looked. */
  readonly restart?: Boot;
  /** The addresses and networks that are delivered on the host itself. */
  readonly local?: readonly string[];
  /** Policy rules that look at the packet's mark, as `ip rule` shows them. */
  readonly marks?: readonly string[];
  /** What the host's own files say of values. */
  readonly files?: SysctlFiles;
  readonly session: SessionFacts;
  /** Changes that the host has undone by itself since somebody last asked, in its words. */
  readonly undone: readonly string[];
}

/** What the host says of our own session. */
export interface SessionFacts {
  /** The shell's folder. */
  readonly folder: string;
  /** The address and port by which we came in; absent when not over SSH. */
  readonly entry?: { readonly address: string; readonly port: number };
}

/** What a look must cover: values and objects. */
export interface Interest {
  readonly sysctls: ReadonlySet<string>;
  readonly objects: readonly ToolObject[];
}

export const interestOf = (wanted: readonly Wanted[]): Interest => ({
  sysctls: new Set(sysctlsOf(wanted).map((s) => s.key)),
  objects: [...new Map(toolsOf(wanted).map((o) => [toolId(o), o])).values()],
});

export const covers = (a: Interest, b: Interest): boolean => {
  const ids = new Set(a.objects.map(toolId));
  return [...b.sysctls].every((key) => a.sysctls.has(key)) && b.objects.every((o) => ids.has(toolId(o)));
};

export const union = (...interests: readonly Interest[]): Interest => ({
  sysctls: new Set(interests.flatMap((i) => [...i.sysctls])),
  objects: [...new Map(interests.flatMap((i) => i.objects.map((o) => [toolId(o), o]))).values()],
});

/** The table, or nothing. Listing the tables first would read the whole ruleset twice. */
const TABLE_LOOK = `
echo @@nft
nft list table ${TABLE.family} ${TABLE.name} 2>/dev/null || {
  echo @@nft
  tables=$(nft list tables) || exit
  case "
$tables
" in *"
table ${TABLE.family} ${TABLE.name}
"*) nft list table ${TABLE.family} ${TABLE.name} || exit ;; esac
}`;

/** `more` prints further keys and paths. */
const valuesLook = (keys: Iterable<string>, more: string): string => `
echo @@sysctl
{ cat <<"LBSHIELD_KEYS"
${[...keys].map((key) => `${key}\t${sysctlPath(key)}`).join("\n")}
LBSHIELD_KEYS
${more}
} | while IFS="	" read -r key path; do
  if [ -n "$key" ] && [ -r "$path" ]; then printf "%s\\t" "$key"; cat "$path" || exit; fi
done || exit`;

const toolsLook = (objects: readonly ToolObject[]): string =>
  TOOLS.flatMap((tool) => {
    const some = [...ofTool(tool, objects).values()];
    return some.length === 0 ? [] : [`echo @@tool-${tool.name}`, `{ ${tool.look(some)}\n} || exit`];
  }).join("\n");

/** Values that somebody claimed are shown as well: the ledger names them. */
const CLAIMED = `[ ! -e ${LEDGER} ] || awk -F"\\t" '$1 == "original" { path = $2; if (path !~ "^/") { gsub("[.]", "\\001", path); gsub("/", ".", path); gsub("\\001", "/", path); path = "/proc/sys/" path } print $2 "\\t" path }' ${LEDGER}`;

/** What restores a record is as long as the record and follows from it: that it is there is enough to know. */
const LEDGER_LOOK = `awk -F"\\t" '$1 == "nft" && $2 != "layout" { print $1 FS $2; next } { print }' ${LEDGER}`;

/** The shell commands of a snapshot. */
export const snapshotScript = ({ sysctls, objects }: Interest): string => `
command -v nft >/dev/null || { echo "nft: not found" >&2; exit 127; }
printf "@@session\\n%s\\t%s\\n" "$LBS" "$LBSSH"
${TABLE_LOOK}
${valuesLook(sysctls, CLAIMED)}
${toolsLook(objects)}
echo @@addresses
{ ip -4 route show table local type local; ip -6 route show table local type local; } 2>/dev/null | awk '{ print $2 }'
echo @@marks
{ ip -4 rule show; ip -6 rule show; } 2>/dev/null | grep fwmark
echo @@files
${FILES_LOOK}
echo @@boot
${BOOT_LOOK}
echo @@ledger
[ ! -e ${LEDGER} ] || ${LEDGER_LOOK} || exit
echo @@end
`;

/** What a change has touched, and the table unless nft has told what it made of it. */
export const readBackScript = ({ sysctls, objects }: Interest, table: boolean): string => `
${table ? TABLE_LOOK : ""}
${sysctls.size > 0 ? valuesLook(sysctls, "") : ""}
${toolsLook(objects)}
echo @@end
`;

/** Looks at one host again and again: what did not change need not be read again. */
export class Reader {
  private readonly records: RecordCache = new Map();
  private readonly blocks = new Map<string, readonly NftObject[]>();
  private readonly elements = new Map<string, Element>();

  parse(text: string): Snapshot {
    const sections = sectionsOf(text);
    return {
      ...this.observed(sections),
      session: sessionFacts(linesOf(sections, "session")[0] ?? ""),
      undone: linesOf(sections, "undone"),
      ...(sections.has("boot") ? { restart: parseBoot(linesOf(sections, "boot")) } : {}),
      ...(sections.has("addresses")
        ? { local: linesOf(sections, "addresses"), marks: linesOf(sections, "marks") }
        : {}),
      ...(sections.has("files") ? { files: new SysctlFiles(linesOf(sections, "files")) } : {}),
      ...parseLedger(sections.get("ledger") ?? "", this.records),
    };
  }

  /** What a change has left behind. Where nft told it in words that are not understood, the table is undefined. */
  readBack(text: string): Omit<Observed, "nft"> & { readonly nft?: NftObjects; readonly echo?: readonly NftObject[] } {
    const sections = sectionsOf(text);
    const { nft, ...others } = this.observed(sections);
    if (sections.has("nft")) return { ...others, nft };
    const echo = parseEcho(sections.get("echo") ?? "", `${TABLE.family} ${TABLE.name}`);
    return { ...others, ...(echo === undefined ? {} : { echo }) };
  }

  private observed(sections: ReadonlyMap<string, string>): Observed {
    const sysctls = linesOf(sections, "sysctl").map((l): [string, string] => {
      const tab = l.indexOf("\t");
      return [l.slice(0, tab), canonicalValue(l.slice(tab + 1))];
    });
    const tools = TOOLS.flatMap((tool) => tool.parse(sections.get(`tool-${tool.name}`) ?? ""));
    return {
      nft: byId(parseTables(sections.get("nft") ?? "", TABLE.family, TABLE.name, this)),
      sysctl: new Map(sysctls),
      objects: new Map(tools.map((o) => [toolId(o), o])),
    };
  }

  block(text: string, parse: () => readonly NftObject[]): readonly NftObject[] {
    return remember(this.blocks, text, parse);
  }

  element(text: string, parse: () => Element): Element {
    return remember(this.elements, text, parse);
  }
}

/** What stands behind each `@@NAME`; of two with one name, the later counts. */
function sectionsOf(text: string): Map<string, string> {
  const parts = text.split(/^@@/m).slice(1);
  const sections = new Map(parts.map((p) => [p.slice(0, p.indexOf("\n")), p.slice(p.indexOf("\n") + 1)] as const));
  if (!sections.has("end")) throw new Error("the host's answer ends in the middle");
  return sections;
}

const linesOf = (sections: ReadonlyMap<string, string>, name: string): string[] =>
  (sections.get(name) ?? "").split("\n").filter((line) => line !== "");

function remember<T>(cache: Map<string, T>, key: string, make: () => T): T {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make();
  cache.set(key, made);
  return made;
}

/** `FOLDER <tab> CLIENT PORT SERVER PORT`: sshd's SSH_CONNECTION. */
function sessionFacts(line: string): SessionFacts {
  const [folder = "", ssh = ""] = line.split("\t");
  const [, , address, port] = ssh.split(" ");
  return {
    folder,
    ...(address && port ? { entry: { address: address.replace(/^::ffff:/, ""), port: Number(port) } } : {}),
  };
}
