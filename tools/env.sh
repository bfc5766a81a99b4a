#!/bin/sh
# The environment that `make setup` prepared: Node 22 and the Pulumi CLI on PATH.
#   . tools/env.sh       for this shell
#   tools/env.sh CMD...  for one command

# A sourced file learns where it is from bash and zsh; a plain POSIX shell must stand in the clone.
if [ -n "${BASH_SOURCE:-}" ]; then _file=$BASH_SOURCE; else _file=$0; fi
[ "${_file##*/}" = env.sh ] || _file=tools/env.sh
_root=$(cd "$(dirname "$_file")/.." && pwd)

if [ -x "$_root/node_modules/.bin/node" ] && [ -s "$_root/node_modules/.pulumi-cli" ]; then
  read -r _cli <"$_root/node_modules/.pulumi-cli"
  case :$PATH: in
    ":$_root/node_modules/.bin:$_cli:"*) ;; # sourced before
    *) PATH=$_root/node_modules/.bin:$_cli:$PATH ;;
  esac
  export PATH PULUMI_SKIP_UPDATE_CHECK=1
  unset _file _root _cli
  # Executed, not sourced: $0 is this file. (zsh sets $0 for sourced files too, and says so.)
  case ${0##*/}:${ZSH_EVAL_CONTEXT:-} in
    env.sh:*file*) ;;
    env.sh:*) exec "$@" ;;
  esac
else
  echo "Run make setup first: $_root is not set up" >&2
  unset _file _root
  false
fi
