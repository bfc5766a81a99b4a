/**
 * From one state of IPVS to another. What keeps its name is edited in place: the kernel changes scheduler,
 * persistence, forwarding and tunnel so (ip_vs_edit_service and __ip_vs_update_dest in ip_vs_ctl.c), and connections go
 * on. -C and -R would end some of them, and take everybody's services.
 */
import { quote } from "../quote";
import { type Step } from "../step";
import { DEFAULT_TIMEOUTS, type IpvsObject, type IpvsObjects, contentWords, ipvsEqual, nameWords } from "./objects";

/**
 * What is new comes before what is edited, what goes goes last. No daemon runs while a tunnel changes the address
 * family (ip_vs_genl_new_daemon), so one that goes does so first, and a new one starts last.
 */
const ORDER = [
  "delete ipvs-daemon",
  ...["add ipvs-timeouts", "edit ipvs-timeouts", "delete ipvs-timeouts"],
  ...["add ipvs-service", "add ipvs-server", "edit ipvs-server", "edit ipvs-service"],
  ...["delete ipvs-server", "delete ipvs-service"],
  ...["edit ipvs-daemon", "add ipvs-daemon"],
];

export function ipvsSteps(from: IpvsObjects, to: IpvsObjects): Step[] {
  const steps = [...new Set([...from.keys(), ...to.keys()])].flatMap((id) => {
    const [old, next] = [from.get(id), to.get(id)];
    return ipvsEqual(old, next) ? [] : changes(id, old, next);
  });
  return steps.sort((a, b) => ORDER.indexOf(a.what) - ORDER.indexOf(b.what)).map(({ step }) => step);
}

function changes(id: string, old?: IpvsObject, next?: IpvsObject): { what: string; step: Step }[] {
  if (old && next)
    return [{ what: `edit ${next.kind}`, step: { id, run: commands(next).edit, back: commands(old).edit } }];
  if (next) {
    const { add, remove } = commands(next);
    // Looking for what is not there would load IPVS.
    const back = `[ ! -e /proc/net/ip_vs ] || ${remove} 2>/dev/null || :`;
    return [{ what: `add ${next.kind}`, step: { id, run: add, back } }];
  }
  if (!old) return [];
  const { remove, restore } = commands(old);
  return [{ what: `delete ${old.kind}`, step: { id, run: remove, back: restore } }];
}

/** `restore` adds an object, unless it is still there. */
function commands(o: IpvsObject): Record<"add" | "edit" | "remove" | "restore", string> {
  switch (o.kind) {
    case "ipvs-service":
    case "ipvs-server": {
      const [a, e, d] = o.kind === "ipvs-service" ? ["-A", "-E", "-D"] : ["-a", "-e", "-d"];
      const add = ipvsadm(a, ...nameWords(o), ...contentWords(o));
      const edit = ipvsadm(e, ...nameWords(o), ...contentWords(o));
      return { add, edit, remove: ipvsadm(d, ...nameWords(o)), restore: `${add} 2>/dev/null || ${edit}` };
    }
    case "ipvs-timeouts": {
      const set = ipvsadm(...contentWords(o));
      return { add: set, edit: set, remove: ipvsadm(...contentWords(DEFAULT_TIMEOUTS)), restore: set };
    }
    case "ipvs-daemon": {
      const add = ipvsadm("--start-daemon", o.state, ...contentWords(o));
      const remove = ipvsadm("--stop-daemon", o.state);
      const restore = `ipvsadm -L --daemon | grep -q "^${o.state} " || ${add}`;
      return { add, edit: `{ ${remove} 2>/dev/null; ${add}; }`, remove, restore };
    }
    default:
      return o satisfies never;
  }
}

const ipvsadm = (...words: readonly string[]): string => ["ipvsadm", ...words.map(quote)].join(" ");
