/** Kernel modules: loaded when they are wanted, and never unloaded, since others may stand on them by now. */
import { quote } from "../quote";
import { type Step } from "../step";

export interface Module {
  readonly kind: "module";
  readonly name: string;
}

export type Modules = ReadonlyMap<string, Module>;

export function kernelModule(name: string): Module {
  if (!/^[a-z0-9_-]+$/.test(name)) throw new RangeError(`${JSON.stringify(name)} is not the name of a kernel module`);
  // The kernel takes both for one; /sys/module has the underscore.
  return { kind: "module", name: name.replaceAll("-", "_") };
}

export const moduleId = (o: Module): string => `module ${o.name}`;
/** It is there, or it is not: there is no more to say. */
export const moduleText = (_o: Module): string => "";

/**
 * Prints the names of those that are there. What is built in and has no parameters is not in /sys/module: modprobe
 * knows. A kernel without /proc/modules cannot load any: what it has is built in.
 */
export const moduleLook = (objects: readonly Module[]): string => `
for name in ${objects.map((o) => quote(o.name)).join(" ")}; do
  if [ -e "/sys/module/$name" ] || [ ! -e /proc/modules ]; then echo "$name"
  else case $(modprobe --show-depends "$name" 2>/dev/null) in *"builtin $name"*) echo "$name" ;; esac
  fi
done
`;

export const parseModules = (listing: string): Module[] =>
  listing
    .split("\n")
    .filter((line) => line !== "")
    .map(kernelModule);

export const moduleSteps = (from: Modules, to: Modules): Step[] =>
  [...to].flatMap(([id, o]) => (from.has(id) ? [] : [{ id, run: `modprobe ${quote(o.name)}`, back: ":" }]));

export function moduleRemedy(said: string): string | undefined {
  if (said.includes("modprobe: not found")) return "install kmod on the host (Debian, Ubuntu: apt-get install kmod)";
  if (/not found in directory|No such file or directory/.test(said))
    return "this kernel has no such module: in a container it must be loaded on the machine outside; on a cloud image the full kernel package may bring it (Debian: linux-image-amd64; RHEL: kernel-modules-extra); after an upgrade of the kernel, restart";
  if (/Operation not permitted|Key was rejected|Required key/.test(said))
    return "modules may not be loaded here: in a container, load it on the machine outside; see also kernel.modules_disabled and Secure Boot";
  return undefined;
}
