import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { type LabHost } from "./lab";

const root = resolve(__dirname, "../..");

export interface Ran {
  readonly code: number;
  /** Standard output and error, as a person would see them. */
  readonly text: string;
}

export interface ProjectOptions {
  readonly name?: string;
  readonly stack?: string;
  /** index.ts, TypeScript as a user writes it. */
  readonly program: string;
  /** Lines below `options:` of Pulumi.yaml. */
  readonly yaml?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A Pulumi project in an empty folder, with a backend of its own, driven through the real CLI. */
export class Project {
  readonly folder: string;
  private readonly env: NodeJS.ProcessEnv;

  private constructor(options: ProjectOptions) {
    this.folder = mkdtempSync(join(tmpdir(), "lbshield-e2e-"));
    const home = join(this.folder, ".home");
    mkdirSync(join(home, "backend"), { recursive: true });
    this.env = {
      ...process.env,
      HOME: home,
      PULUMI_HOME: join(home, ".pulumi"),
      PULUMI_BACKEND_URL: `file://${join(home, "backend")}`,
      PULUMI_CONFIG_PASSPHRASE: "test",
      PULUMI_SKIP_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      ...options.env,
    };
    delete this.env.SSH_AUTH_SOCK;
  }

  static async create(options: ProjectOptions): Promise<Project> {
    const project = new Project(options);
    const { name = "shop" } = options;
    project.write("Pulumi.yaml", `name: ${name}\nruntime: nodejs\n${options.yaml ?? ""}`);
    project.write("package.json", JSON.stringify({ name, private: true }));
    project.write(
      "tsconfig.json",
      JSON.stringify({ compilerOptions: { target: "es2022", module: "nodenext", strict: true, skipLibCheck: true } }),
    );
    project.program(options.program);
    project.link("pulumi-lbshield", root);
    for (const module of ["@pulumi/pulumi", "typescript", "@types/node"])
      project.link(module, join(root, "node_modules", module));
    await project.must("stack", "init", options.stack ?? "test");
    return project;
  }

  program(text: string): void {
    this.write(
      "index.ts",
      `import * as pulumi from "@pulumi/pulumi";\nimport * as lbshield from "pulumi-lbshield";\n${text}\n`,
    );
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  /** Runs `pulumi ...`; a status other than 0 is an answer. */
  run(...args: string[]): Promise<Ran> {
    return this.runWith({}, ...args);
  }

  runWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ran> {
    return this.command(env, "pulumi", "--non-interactive", ...args);
  }

  /** Begins `pulumi ...` and does not wait for its end. */
  start(env: NodeJS.ProcessEnv, ...args: string[]): ChildProcess {
    const options = { cwd: this.folder, env: { ...this.env, ...env }, stdio: "ignore" as const };
    return spawn("pulumi", ["--non-interactive", ...args], options);
  }

  /** Runs any command where a user of the project would. */
  command(env: NodeJS.ProcessEnv, file: string, ...args: string[]): Promise<Ran> {
    return new Promise((done) => {
      const options = { cwd: this.folder, env: { ...this.env, ...env }, maxBuffer: 64 << 20, timeout: 110_000 };
      execFile(file, args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        done({ code, text: `${stdout}${stderr}` });
      });
    });
  }

  /** Runs `pulumi ...` and fails unless it succeeds. */
  async must(...args: string[]): Promise<string> {
    const { code, text } = await this.run(...args);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code.toString()}\n${text}`);
    return text;
  }

  up(...args: string[]): Promise<Ran> {
    return this.run("up", "--yes", "--skip-preview", ...args);
  }

  /** The state of every resource, by the last part of its URN. */
  async state(): Promise<Map<string, Record<string, unknown>>> {
    const text = await this.must("stack", "export");
    const { deployment } = JSON.parse(text) as { deployment: { resources?: Record<string, unknown>[] } };
    return new Map((deployment.resources ?? []).map((r) => [String(r.urn).split("::").at(-1) ?? "", r]));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private link(module: string, target: string): void {
    const path = join(this.folder, "node_modules", module);
    mkdirSync(resolve(path, ".."), { recursive: true });
    symlinkSync(target, path);
  }
}

/** The connection to a lab's host, as a program writes it. The key comes by LBSHIELD_PRIVATE_KEY. */
export const connectionTo = (host: LabHost): string =>
  JSON.stringify({ host: host.address, user: host.user, hostKey: host.hostKey });
