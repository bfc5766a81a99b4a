import { AnyLab, LabScript } from "./lab";

/** Hosts that are virtual machines, with systemd and a kernel of their own: tools/lab/vm.sh. */
export class VmLab extends AnyLab {
  /**
   * A new lab, with name and net as Lab's: no other lab's, of either kind. It takes half a minute for one host when the
   * machine is busy, and as much again when the image is not there yet.
   */
  static async up(name: string, net: string, hosts = 1): Promise<VmLab> {
    const script = new LabScript("vm.sh", name, net);
    await script.succeed(["image"], 600);
    return new VmLab(...(await AnyLab.start(script, hosts, 120 + 60 * hosts)));
  }

  /** Reboots host i as its administrator would, and waits until all its services run again. */
  async reboot(i: number): Promise<void> {
    await this.script.succeed(["reboot", `${i}`], 300);
  }

  /** Cuts host i's power, starts it again and waits: what was not synced may be lost, what was synced may not. */
  async reset(i: number): Promise<void> {
    await this.script.succeed(["reset", `${i}`], 300);
  }

  /** Holds host i: it answers nobody, and its connections stay open. `exec` and `ssh` wait for `cont`. */
  async stop(i: number): Promise<void> {
    await this.script.succeed(["stop", `${i}`], 30);
  }

  async cont(i: number): Promise<void> {
    await this.script.succeed(["cont", `${i}`], 30);
  }
}
