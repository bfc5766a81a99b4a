/** The values that resources share, as zod schemas. Every message says what was given and why it cannot be. */
import { z } from "zod";

/** A value as messages show it. What is inside an object or a list may be secret, and is too long anyway. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return value === undefined ? "undefined" : JSON.stringify(value);
}

/** An error whose reason starts with the value, redacted by whoever prints it when it is secret. */
export const reason =
  (why: string) =>
  (issue: { readonly input?: unknown }): string =>
    issue.input === undefined ? `is missing: ${why}` : `${show(issue.input)}: ${why}`;

export const wholeNumber = (min: number, max: number, what: string) => {
  const why = `${what} is a whole number from ${min.toString()} to ${max.toString()}`;
  return z
    .int({ error: reason(why) })
    .min(min, { error: reason(why) })
    .max(max, { error: reason(why) });
};

export const flag = (what: string) => z.boolean({ error: reason(`${what} is true or false`) });

/** The kernel's IFNAMSIZ is 16 with its final zero byte; dev_valid_name() refuses slash, colon and white space. */
export const interfaceName = z
  .string({ error: reason("an interface is named by a string like eth0") })
  .superRefine((name, ctx) => {
    const problem =
      Buffer.byteLength(name) > 15
        ? "is too long; the kernel takes interface names of at most 15 bytes"
        : !/^[^\s/:"*\x00-\x1f\x7f]+$/.test(name) || name === "." || name === ".."
          ? "is not an interface name (no space, slash, colon, quote or wildcard)"
          : undefined;
    if (problem !== undefined) ctx.addIssue({ code: "custom", message: `${show(name)}: ${problem}` });
  });

const PORT_RULE = "a port is a whole number from 1 to 65535, or a range like 8000-8080";

/** A port, or a range of ports: `443`, `"443"`, `"8000-8080"`. */
export const portOrRange = z
  .union([z.number(), z.string()], { error: reason(PORT_RULE) })
  .transform((value, ctx): PortRange => {
    const m = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(value.toString());
    const [from, to] = [Number(m?.[1]), Number(m?.[2] ?? m?.[1])];
    if (!m || from < 1 || to > 65535) ctx.addIssue({ code: "custom", message: `${show(value)}: ${PORT_RULE}` });
    else if (from > to) ctx.addIssue({ code: "custom", message: `${show(value)}: the range ends before it begins` });
    return { from, to };
  });

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export const canonicalNames = (names: readonly string[]): string[] => [...new Set(names)].toSorted();

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds, or a duration as people write it: `30`, `"30s"`, `"2m"`, `"1h30m"`, `"5d"`. Becomes seconds. */
export const duration = (min: number, max: number, limit = "the kernel takes") => {
  const why = `a duration is a number of seconds or a text like "90s", "2m", "1h30m" or "5d"`;
  return z.union([z.number(), z.string()], { error: reason(why) }).transform((value, ctx): number => {
    const seconds = typeof value === "number" ? value : parseDuration(value);
    if (seconds === undefined || !Number.isInteger(seconds))
      ctx.addIssue({ code: "custom", message: `${show(value)}: ${why}` });
    else if (seconds < min || seconds > max)
      ctx.addIssue({
        code: "custom",
        message: `${show(value)}: ${limit} ${min.toString()} to ${max.toString()} s here`,
      });
    return seconds ?? 0;
  });
};

function parseDuration(text: string): number | undefined {
  if (/^[0-9]+$/.test(text)) return Number(text);
  const parts = text.match(/[0-9]+[smhd]/g);
  if (parts?.join("") !== text) return undefined;
  return parts.reduce((sum, part) => sum + Number(part.slice(0, -1)) * (UNITS[part.slice(-1)] ?? 0), 0);
}

const MULTIPLES: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["k", 1000],
  ["M", 1000 ** 2],
  ["G", 1000 ** 3],
  ["Ki", 2 ** 10],
  ["Mi", 2 ** 20],
  ["Gi", 2 ** 30],
]);

/** A number, or one as people write large ones: `262144`, `"256Ki"`, `"1Mi"`, `"512MiB"`, `"2G"`. Becomes the number. */
export const size = (min: number, max: number, what: string) => {
  const why = `${what} is a whole number, or a text like "256Ki", "1Mi" (1024 times 1024) or "2M" (2000000)`;
  return z.union([z.number(), z.string()], { error: reason(why) }).transform((value, ctx): number => {
    const number = typeof value === "number" ? value : parseSize(value);
    if (number === undefined || !Number.isInteger(number))
      ctx.addIssue({ code: "custom", message: `${show(value)}: ${why}` });
    else if (number < min || number > max)
      ctx.addIssue({
        code: "custom",
        message: `${show(value)}: ${what} is from ${min.toString()} to ${max.toString()}`,
      });
    return number ?? 0;
  });
};

function parseSize(text: string): number | undefined {
  const [, number, unit = ""] = /^([0-9]+)(?:([kMG]|[KMG]i)B?)?$/.exec(text) ?? [];
  const times = MULTIPLES.get(unit);
  return number === undefined || times === undefined ? undefined : Number(number) * times;
}
