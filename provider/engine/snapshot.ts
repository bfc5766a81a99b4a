/** One look at a host: exactly what is needed to plan, in one command. */
import { type Element, type NftObject, type NftObjects, byId } from "../kernel/nftables/objects";
import { parseTables } from "../kernel/nftables/listing";
import { type Wanted, sysctlsOf, toolsOf } from "../kernel/object";
import { canonicalValue, sysctlPath } from "../kernel/sysctl/sysctl";
import { TOOLS, type ToolObject, type ToolObjects, ofTool, toolId } from "../kernel/tools";
import { TABLE } from "./desired";
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

/**
 * The shell commands of a snapshot. Values that somebody claimed are shown as well: the ledger names them. It can be
 * megabytes; whoever knows what is in it leaves it out.
 */
export function snapshotScript({ sysctls, objects }: Interest, withLedger = true): string {
  const paths = [...sysctls].map((key) => `${key}\t${sysctlPath(key)}`).join("\n");
  const tools = TOOLS.flatMap((tool) => {
    const some = [...ofTool(tool, objects).values()];
    return some.length === 0 ? [] : [`echo @@tool-${tool.name}`, `{ ${tool.look(some)}\n} || exit`];
  });
  return `
command -v nft >/dev/null || { echo "nft: not found" >&2; exit 127; }
printf "@@session\\n%s\\t%s\\n" "$LBS" "$LBSSH"
echo @@nft
tables=$(nft list tables) || exit
case "
$tables
" in *"
table ${TABLE.family} ${TABLE.name}
"*) nft list table ${TABLE.family} ${TABLE.name} || exit ;; esac
echo @@sysctl
{ cat <<"LBSHIELD_KEYS"
${paths}
LBSHIELD_KEYS
[ ! -e ${LEDGER} ] || awk -F"\\t" '$1 == "original" { path = $2; if (path !~ "^/") { gsub("[.]", "\\001", path); gsub("/", ".", path); gsub("\\001", "/", path); path = "/proc/sys/" path } print $2 "\\t" path }' ${LEDGER}
} | while IFS="	" read -r key path; do
  if [ -n "$key" ] && [ -r "$path" ]; then printf "%s\\t" "$key"; cat "$path" || exit; fi
done || exit
${tools.join("\n")}
echo @@ledger
${withLedger ? `[ ! -e ${LEDGER} ] || cat ${LEDGER} || exit` : ""}
echo @@end
`;
}

/** Looks at one host again and again: what did not change need not be read again. */
export class Reader {
  private readonly records: RecordCache = new Map();
  private readonly blocks = new Map<string, readonly NftObject[]>();
  private readonly elements = new Map<string, Element>();

  parse(text: string): Snapshot {
    const sections = new Map(
      text
        .split(/^@@/m)
        .slice(1)
        .map((part): [string, string] => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1)]),
    );
    if (!sections.has("end")) throw new Error("the host's answer ends in the middle");
    const lines = (section: string) => (sections.get(section) ?? "").split("\n").filter((line) => line !== "");
    const sysctls = lines("sysctl").map((l): [string, string] => {
      const tab = l.indexOf("\t");
      return [l.slice(0, tab), canonicalValue(l.slice(tab + 1))];
    });
    const tools = TOOLS.flatMap((tool) => tool.parse(sections.get(`tool-${tool.name}`) ?? ""));
    return {
      nft: byId(parseTables(sections.get("nft") ?? "", TABLE.family, TABLE.name, this)),
      sysctl: new Map(sysctls),
      objects: new Map(tools.map((o) => [toolId(o), o])),
      session: sessionFacts(lines("session")[0] ?? ""),
      undone: lines("undone"),
      ...parseLedger(sections.get("ledger") ?? "", this.records),
    };
  }

  block(text: string, parse: () => readonly NftObject[]): readonly NftObject[] {
    return remember(this.blocks, text, parse);
  }

  element(text: string, parse: () => Element): Element {
    return remember(this.elements, text, parse);
  }
}

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
