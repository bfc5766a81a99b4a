import * as pulumi from "@pulumi/pulumi";

import { type SynproxyRuleArgs as Args } from "../../provider/resources/synproxy-rule/model";
import {
  type ParseOptions as Options,
  type ParsedText,
  parseAll,
  parseRule,
} from "../../provider/resources/synproxy-rule/syntax";
import { type Inputs } from "./inputs";
import { type LearnedOptions, type LinesByObject, LbshieldResource, type OnHost } from "./resource";

export { RuleSyntaxError } from "../../provider/resources/synproxy-rule/syntax";
export { type ParsedText };

/** Arguments of a SynproxyRule. */
export type SynproxyRuleArgs = Inputs<Args> & OnHost;

/** How ALOHA lines and FireHOL statements are read. */
export interface ParseOptions extends Options {
  /**
   * Told of each thing that was left out or is not quite the same, with its place in the text. Default: a warning of
   * the program, as `pulumi.log.warn` shows it.
   */
  readonly onNote?: (note: string) => void;
}

/**
 * A SYN proxy in front of a TCP service of the balancer: the kernel answers clients with SYN cookies, and a connection
 * exists only once a client has completed the handshake. Spoofed SYNs leave nothing behind.
 *
 * It needs `tcp_loose=0`, SYN cookies and TCP timestamps, and sees to them.
 *
 * ```ts
 * new lbshield.SynproxyRule("web", {
 *   host: lb1, chain: "input",
 *   match: { destinations: ["203.0.113.10"], ports: [80, 443], interfaces: ["eth0"] },
 *   options: { mss: 1460, wscale: 7, timestamp: true, sackPerm: true },
 * });
 * ```
 */
export class SynproxyRule extends LbshieldResource {
  /** The nft objects on the host, and their content. */
  declare readonly nft: pulumi.Output<LinesByObject>;
  /** The values that it needs. */
  declare readonly sysctl: pulumi.Output<LinesByObject>;
  /** With `options: "learn"`: what the server itself announces. Without `timestamp` the proxy announces its mss alone. */
  declare readonly learned: pulumi.Output<LearnedOptions | undefined>;

  constructor(name: string, args: SynproxyRuleArgs, opts?: pulumi.CustomResourceOptions) {
    super("SynproxyRule", name, args, opts);
  }

  /**
   * The arguments that an ALOHA line or a FireHOL statement stands for.
   *
   * ```ts
   * new lbshield.SynproxyRule("web", {
   *   host: lb1,
   *   ...lbshield.SynproxyRule.parse("ipv4 synproxy input inface eth0 dst 203.0.113.10 dport 80 accept"),
   * });
   * ```
   *
   * What cannot be taken over is a `RuleSyntaxError` that shows the line with carets under the word, and says what to
   * do instead. So is a text with several rules, or with none.
   */
  static parse(text: string, options: ParseOptions = {}): Args {
    const { args, notes } = parseRule(text, options);
    notes.forEach(options.onNote ?? warn);
    return args;
  }

  /**
   * The same for a text of many lines, such as the relevant part of a `firehol.conf`: the arguments of each rule, and
   * those of a `ConntrackTuning` where the text sets values of the host (`FIREHOL_CONNTRACK_MAX`, `sysctl
   * tcp_loose=0`). FireHOL's variables hold from where they are assigned. Statements about other things are told to
   * `onNote`, and are in `notes`.
   */
  static parseAll(text: string, options: ParseOptions = {}): ParsedText {
    const parsed = parseAll(text, options);
    parsed.notes.forEach(options.onNote ?? warn);
    return parsed;
  }
}

const warn = (note: string): void => {
  void pulumi.log.warn(note);
};
