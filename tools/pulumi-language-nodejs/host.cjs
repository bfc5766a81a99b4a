#!/usr/bin/env node
"use strict";
// A language host for Node programs, for machines that can build the Pulumi CLI but not get the official host, which is
// in the download only. It does what `pulumi up`, `preview`, `refresh` and `destroy` ask of a host; what it does not
// implement (convert, package add, install, new) gRPC answers with UNIMPLEMENTED.
const { spawn } = require("node:child_process");
const { createRequire } = require("node:module");
const path = require("node:path");

function fail(message) {
  process.stderr.write(`pulumi-language-nodejs: ${message}\n`);
  process.exit(1);
}
if (parseInt(process.versions.node) < 22) {
  fail(`Node 22 or newer is needed on PATH, found ${process.version} (${process.execPath})`);
}

/** `require` as @pulumi/pulumi itself would do it, for the copy that a program in `directory` gets. */
function sdkOf(directory) {
  try {
    return createRequire(createRequire(path.join(directory, "program.js")).resolve("@pulumi/pulumi/package.json"));
  } catch {
    return undefined;
  }
}

// Beside the installed host is a link to the node_modules of the clone that installed it. Should that clone be gone,
// the program's own SDK has the same protocol.
const sdk = sdkOf(__dirname) ?? sdkOf(process.cwd());
if (!sdk) fail(`@pulumi/pulumi is not installed in ${process.cwd()}. Have you run npm install?`);
const grpc = sdk("@grpc/grpc-js");
const language = sdk("./proto/language_pb");
const { PluginInfo } = sdk("./proto/plugin_pb");
const { LanguageRuntimeService } = sdk("./proto/language_grpc_pb");

let engine = process.argv.slice(2).find((arg) => !arg.startsWith("-"));
const programs = new Set();
function stopPrograms() {
  for (const program of programs) program.kill();
}

function run(call, respond) {
  const request = call.request;
  const info = request.getInfo();
  const reply = (error, bail = false) => {
    const response = new language.RunResponse();
    response.setError(error);
    response.setBail(bail);
    respond(null, response);
  };

  const own = sdkOf(info.getProgramDirectory());
  if (!own) {
    reply(`@pulumi/pulumi is not installed in ${info.getProgramDirectory()}. Have you run npm install?`);
    return;
  }
  const options = info.getOptions()?.toJavaScript() ?? {};
  const args = [
    ...(options.nodeargs ?? "").split(/\s+/).filter(Boolean),
    own.resolve("./cmd/run"),
    ...["--monitor", request.getMonitorAddress()],
    ...["--engine", engine],
    ...["--organization", request.getOrganization()],
    ...["--project", request.getProject()],
    ...["--stack", request.getStack()],
    ...["--root-directory", info.getRootDirectory()],
    ...["--pwd", request.getPwd()],
    ...["--parallel", String(request.getParallel())],
    ...(request.getDryrun() ? ["--dry-run"] : []),
    info.getEntryPoint() || ".",
    ...request.getArgsList(),
  ];
  const env = {
    ...process.env,
    PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().getEntryList())),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    // TypeScript unless Pulumi.yaml says otherwise, as in the official host.
    ...(options.typescript === false ? {} : { PULUMI_NODEJS_TYPESCRIPT: "true" }),
  };

  // The engine reads our output after the port and shows it, so the program writes to the same streams.
  const program = spawn(process.execPath, args, { env, stdio: ["ignore", "inherit", "inherit"] });
  programs.add(program);
  call.on("cancelled", () => program.kill()); // the engine gave up, or died
  program.on("error", (error) => reply(`cannot start ${process.execPath}: ${error.message}`));
  program.on("exit", (code, signal) => {
    programs.delete(program);
    if (code === 0) reply("");
    else if (code === 32)
      reply("", true); // the SDK's own code for "the user has been told why"
    else reply(`Program exited with ${signal ? `signal ${signal}` : `non-zero exit code: ${code}`}`);
  });
}

const answer = (Response, fill) => (call, respond) => {
  const response = new Response();
  fill?.(response, call.request);
  respond(null, response);
};
const handlers = {
  run,
  handshake: answer(language.LanguageHandshakeResponse, (_, request) => (engine = request.getEngineAddress())),
  getPluginInfo: answer(PluginInfo, (response) => response.setVersion(sdk("./package.json").version)),
  // Nothing is announced: the engine would download it at once. What a program really uses it finds on PATH or in the
  // plugin cache when the first resource is registered.
  getRequiredPlugins: answer(language.GetRequiredPluginsResponse),
  getRequiredPackages: answer(language.GetRequiredPackagesResponse),
  about: answer(language.AboutResponse, (response) => {
    response.setExecutable(process.execPath);
    response.setVersion(process.version);
  }),
  getProgramDependencies: answer(language.GetProgramDependenciesResponse, (response, request) => {
    const manifest = createRequire(path.join(request.getInfo().getProgramDirectory(), "program.js"))("./package.json");
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      const dependency = new language.DependencyInfo();
      dependency.setName(name);
      dependency.setVersion(version);
      response.addDependencies(dependency);
    }
  }),
  cancel: answer(sdk("google-protobuf/google/protobuf/empty_pb").Empty, stopPrograms),
};

// The engine's end shows as the end of stdin, whatever killed it; a program without an engine has nothing left to do.
const stop = () => process.exit(0);
process.on("exit", stopPrograms);
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
process.stdin.on("end", stop).resume();

const server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
server.addService(LanguageRuntimeService, handlers);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) fail(error.message);
  process.stdout.write(`${port}\n`);
});
