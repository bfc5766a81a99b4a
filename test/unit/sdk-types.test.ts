/** Connections are interchangeable with @pulumi/command's: what fits there fits here. The compiler is the judge. */
import type { types } from "@pulumi/command";

import { Host } from "../../sdk/nodejs";

type Theirs = types.input.remote.ConnectionArgs;
type Ours = ConstructorParameters<typeof Host>[1]["connection"];

const theirs = (connection: Theirs): Ours => connection;

test("a connection of @pulumi/command is a connection of ours", () => {
  const connection: Theirs = { host: "lb1.example.net", user: "root", proxy: { host: "bastion.example.net" } };
  expect(theirs(connection)).toBe(connection);
});
