import { openLocal } from "../../../provider/host/local";

test("a login shell that greets is no obstacle", async () => {
  const shell = await openLocal("testhost", ["sh", "-c", 'echo "Welcome to lb1."; exec "$@"', "sh"]);
  expect(await shell.run("echo hello")).toEqual({ code: 0, stdout: "hello\n", stderr: "" });
  shell.close();
});
