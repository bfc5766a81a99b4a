#!/bin/sh
# Installs what package-lock.json pins, Node 22 among it, when the installed tree is of another lock file.
set -eu
cd "$(dirname "$0")/../.."
stamp=node_modules/.installed-lock.json

# The package under its own name, so that a program in this clone (the quick start) finds what a user's would. Any run
# of npm removes it as a stranger.
link_ourselves() { ln -sfn .. node_modules/pulumi-lbshield; }

exec 9<package-lock.json
flock 9 # two makes in one clone

# The content, not its time: git sets times as it likes. npm ci empties node_modules, the stamp with it.
if cmp -s package-lock.json "$stamp"; then
  link_ourselves
  exit 0
fi

echo "Installing npm packages" >&2
# One install script is needed, that of `node`. The others build native code that nothing here uses, or reach for the
# network (@pulumi/command's). allowScripts in package.json says so to npm 11; npm 10 runs them all unless told not to.
# Errors only: npm may itself run on a Node older than the one it installs, and would say so many times.
quiet="--ignore-scripts --no-audit --no-fund --loglevel=error"
# shellcheck disable=SC2086 # several words
npm ci $quiet </dev/null >&2 || {
  # A lock file written against a registry that lacks other platforms' packages is refused as incomplete by npm ci.
  # npm install takes from it what it pins, and leaves it as it is.
  echo "Trying npm install instead" >&2
  npm install --no-save $quiet </dev/null >&2
}
npm rebuild node --foreground-scripts --loglevel=error </dev/null >&2
node_modules/.bin/node -e 'process.exit(parseInt(process.versions.node) < 22 ? 1 : 0)'
link_ourselves
cp package-lock.json "$stamp"
