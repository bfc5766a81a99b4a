/** FireHOL's logs: of the action, and of the handshake. */
import { type SynproxyRuleArgs } from "../model";
import { type Draft, note } from "./draft";
import { type Reading } from "./reading";
import { numberOf } from "./tcp-options";
import { type Span, type Word, fail } from "./text";
import { type Variables } from "./variables";

const LEVELS = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"] as const;
const OTHER_NAMES: Readonly<Record<string, string>> = { panic: "emerg", error: "err", warning: "warn" };

/** By name or by number, as iptables takes it. */
function levelOf(word: Word): (typeof LEVELS)[number] {
  const text = word.text.toLowerCase();
  const named = Object.hasOwn(OTHER_NAMES, text) ? OTHER_NAMES[text] : text;
  const level = LEVELS.find((name, i) => name === named || i.toString() === text);
  return level ?? fail(word, "is no level of syslog: emerg, alert, crit, err, warning, notice, info or debug");
}

type Log = Exclude<SynproxyRuleArgs["log"], true | undefined>;

/** `loglimit "TEXT" level info`. The rate of loglimit, level and prefix are FireHOL's variables. */
export function readLog({ draft, words, context: { variables } }: Reading, keyword: Word, path: string): Log {
  const text = words.takeAfter(keyword, "a text");
  const level = words.takeIf("level");
  const prefix = variables.wordOf("FIREHOL_LOG_PREFIX", keyword).text + text.text;
  draft.origins.set(path, keyword);
  draft.origins.set(`${path}.prefix`, text);
  const limited = keyword.text.toLowerCase() === "loglimit";
  if (!limited)
    note(
      draft,
      keyword,
      "at most 10 lines a second are logged; loglimit, or rate in the arguments, sets another limit",
    );
  return {
    prefix,
    ...(limited ? logRate(draft, variables, keyword, path) : {}),
    level: levelOf(level ? words.takeAfter(level, "a level") : variables.wordOf("FIREHOL_LOG_LEVEL", keyword)),
  };
}

function logRate(draft: Draft, variables: Variables, at: Span, path: string): Pick<Log, "rate" | "burst"> {
  const rate = variables.wordOf("FIREHOL_LOG_FREQUENCY", at);
  const burst = variables.wordOf("FIREHOL_LOG_BURST", at);
  draft.origins.set(`${path}.rate`, rate);
  draft.origins.set(`${path}.burst`, burst);
  return { rate: rate.text, burst: numberOf(burst, "FIREHOL_LOG_BURST") };
}

/** What FIREHOL_SYNPROXY_LOG=1 logs; a log of the statement's own goes before. */
export function readHandshakeLog({ draft, context: { variables } }: Reading): void {
  if (draft.args.logHandshake !== undefined || !variables.isOn("FIREHOL_SYNPROXY_LOG", draft.at)) return;
  draft.args.logHandshake = {
    ...logRate(draft, variables, draft.at, "logHandshake"),
    level: levelOf(variables.wordOf("FIREHOL_LOG_LEVEL", draft.at)),
  };
}
