import { HostError, messageOf } from "../../provider/errors";

const problem = { tried: "apply", host: "lb1.example.net", reason: "Error: File exists\n" };

describe("an error of a host", () => {
  test("says what was tried, where, and what was said", () => {
    expect(new HostError(problem).message).toBe("apply on lb1.example.net: Error: File exists");
  });

  test("says for which resource, what became of the host, and what to do", () => {
    const error = new HostError({
      ...problem,
      resource: "SynproxyRule web (acme/prod)",
      outcome: "nothing was changed",
      remedy: "declare it once",
    });
    expect(error.message).toBe(
      [
        "apply SynproxyRule web (acme/prod) on lb1.example.net: Error: File exists",
        "  outcome: nothing was changed",
        "  to do:   declare it once",
      ].join("\n"),
    );
  });

  test("keeps its parts, its cause and its name", () => {
    const cause = new Error("EPIPE");
    const error = new HostError(problem, cause);
    expect(error).toMatchObject({ name: "HostError", problem, cause });
    expect(error).toBeInstanceOf(Error);
  });
});

test.each([
  [new Error("no route"), "no route"],
  [new HostError(problem), "apply on lb1.example.net: Error: File exists"],
  ["a text", "a text"],
  [7, "7"],
  [undefined, "undefined"],
])("what was thrown is told: %p", (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});
