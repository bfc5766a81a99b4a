import { careOf } from "../../provider/care";
import { DEFAULT_CARE } from "../../provider/engine/transaction";
import { type Properties } from "../../provider/wire";

/** The care of a resource with these inputs, in a stack with this configuration. */
const care = (inputs: Properties, config: Readonly<Record<string, string>> = {}) =>
  careOf(inputs, (key) => config[key]);

test.each<[string, Properties, Record<string, string>, object]>([
  ["of nothing said", {}, {}, DEFAULT_CARE],
  ["of the resource", { guard: "always", confirmTimeout: 60 }, {}, { guard: "always", confirmWithin: 60 }],
  ["of the configuration", {}, { guard: "never", confirmTimeout: "2m" }, { guard: "never", confirmWithin: 120 }],
  [
    "of the resource before the configuration",
    { guard: "auto" },
    { guard: "never", confirmTimeout: "90" },
    { guard: "auto", confirmWithin: 90 },
  ],
  ["as short as may be", { confirmTimeout: 5 }, {}, { ...DEFAULT_CARE, confirmWithin: 5 }],
  ["as long as may be", { confirmTimeout: "1h" }, {}, { ...DEFAULT_CARE, confirmWithin: 3600 }],
])("the care %s", (_name, inputs, config, expected) => {
  expect(care(inputs, config)).toEqual(expected);
});

test.each<[string, Properties, Record<string, string>, string]>([
  ["a word that is none", { guard: "sometimes" }, {}, 'guard is \\"auto\\", \\"always\\" or \\"never\\"'],
  ["one of the configuration", {}, { guard: "off" }, 'guard is \\"auto\\", \\"always\\" or \\"never\\"'],
  ["too short a time", { confirmTimeout: 4 }, {}, "5"],
  ["too long a time", {}, { confirmTimeout: "61m" }, "3600"],
])("%s is refused", (_name, inputs, config, message) => {
  expect(() => care(inputs, config)).toThrow(message);
});
