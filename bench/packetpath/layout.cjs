"use strict";
// Our rules, as the product itself writes them: the one place here that knows its modules. Built first: `make build`.

const product = (module) => require(`../../dist/provider/${module}`);

/** What a host is given for a SynproxyRule on each address, as a script for nft; `interfaces` as in a rule's match. */
function lbshieldRules(addresses, port, options, interfaces) {
  const { SYNPROXY_RULE } = product("resources/synproxy-rule");
  const { LAYOUTS } = product("resources/layout");
  const { hostName, ownPrefix } = product("resources/owner");
  const { TABLE_REF } = product("engine/desired");
  const { isNft } = product("kernel/object");
  const { byId } = product("kernel/nftables/objects");
  const { nftScript } = product("kernel/nftables/script");

  const compiled = addresses.map((address, i) => {
    const match = { destinations: [address], ports: [port], ...(interfaces ? { interfaces } : {}) };
    const model = SYNPROXY_RULE.model.parse({ chain: "input", match, options });
    return SYNPROXY_RULE.compile(ownPrefix(hostName(SYNPROXY_RULE.kind, `shop/bench/s${i}`)), model);
  });
  const names = new Set(compiled.flatMap(({ layouts }) => layouts));
  const shared = LAYOUTS.filter(({ name }) => names.has(name)).flatMap(({ objects }) => objects);
  const own = compiled.flatMap(({ wanted }) => wanted.map(({ object }) => object)).filter(isNft);
  const lines = nftScript(TABLE_REF, new Map(), byId([...shared, ...own]));
  return lines.map(({ text }) => `${text}\n`).join("");
}

module.exports = { lbshieldRules };
