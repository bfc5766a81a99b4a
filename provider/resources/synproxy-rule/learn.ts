/** Whom a rule asks which TCP options it should announce, and what it makes of the answer. */
import { ALL_OPTIONS, type Announced, type Question, type Server, nameOf } from "../../learn";
import { isObject } from "../../wire";
import { printOptions } from "./compile";
import { type Options, type SynproxyRuleModel, type TcpOptions, families } from "./model";
import { asksNobody, serversOf } from "./servers";

/** Options that nobody has chosen are not worth a question. */
const isDefault = ({ mss, timestamp }: TcpOptions): boolean => mss === 1460 && !timestamp;

export function asks(model: SynproxyRuleModel): Question[] {
  const { options } = model;
  const learns = options === "learn";
  if (asksNobody(model) || (!learns && isDefault(options))) return [];
  const servers = serversOf(model, families(model));
  if (servers.length === 0) return [];
  return [
    {
      path: [],
      servers,
      learns,
      declared: options,
      needs: model.serverFirst ? [] : ALL_OPTIONS,
      means: (announced) => printOptions(optionsFrom(announced, model)).replace(/^synproxy /, ""),
      differs: (announced) => (learns ? [] : differences(options, announced)),
    },
  ];
}

/** A SYN cookie keeps window scale and SACK in the timestamp: without it there are none. */
function optionsFrom({ mss, wscale = 0, timestamp, sackPerm }: Announced, { serverFirst }: SynproxyRuleModel) {
  const bounded = Math.max(88, Math.min(65495, mss));
  return timestamp && !serverFirst
    ? { mss: bounded, wscale, timestamp, sackPerm }
    : { mss: bounded, timestamp: false, sackPerm: false };
}

export function taught(model: SynproxyRuleModel, learned: unknown): SynproxyRuleModel {
  if (model.options !== "learn" || !isAnnounced(learned)) return model;
  const options: Options = optionsFrom(learned, model);
  return { ...model, options };
}

const isAnnounced = (value: unknown): value is Announced =>
  isObject(value) && typeof value.mss === "number" && typeof value.timestamp === "boolean";

/** An address of one family may announce what one of the other does not: it is enough that one agrees. */
function differences({ mss, wscale }: TcpOptions, known: readonly (readonly [Server, Announced])[]): string[] {
  const first = known[0];
  if (first === undefined) return [];
  const [server, announced] = first;
  const told = (name: string, ours: number, theirs: number, cost: string) =>
    `options.${name}: ${ours.toString()} is announced for ${nameOf(server)}, which itself announces ` +
    `${theirs.toString()}: ${cost}; say ${theirs.toString()}, or options: "learn"`;
  const scale = announced.wscale ?? 0;
  return [
    ...(known.some(([, a]) => a.mss === mss)
      ? []
      : [told("mss", mss, announced.mss, mss > announced.mss ? MSS_LARGER : MSS_SMALLER)]),
    ...(wscale === undefined || known.some(([, a]) => (a.wscale ?? 0) === wscale)
      ? []
      : [told("wscale", wscale, scale, wscale > scale ? WSCALE_LARGER : WSCALE_SMALLER)]),
  ];
}

const MSS_LARGER = "larger segments are fragmented, or lost where the path is narrower";
const MSS_SMALLER = "smaller segments cost throughput";
const WSCALE_LARGER = "clients take its window for larger than it is, and overrun it";
const WSCALE_SMALLER =
  "clients take its window for smaller than it is, and uploads are slow (0 against 10: 17.6 s for 20 MB instead of 0.12 s)";
