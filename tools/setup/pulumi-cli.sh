#!/bin/sh
# Finds, downloads or builds a Pulumi CLI that runs Node programs. Prints the directory to put on PATH, and progress on
# stderr. Nothing is installed system-wide: what is fetched or built goes to $LBSHIELD_CACHE (~/.cache/lbshield).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
oldest=3.227.0 # since then `refresh --expect-no-changes` ends with 7, which the drift runs rely on
version=$(sed -n 's|.*github.com/pulumi/pulumi/pkg/v3 v\([0-9.]*\).*|\1|p' "$root/tools/pulumi-cli/go.mod")
cache=${LBSHIELD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lbshield}
dir=$cache/pulumi-$version

say() { echo "$*" >&2; }

on_path() { # one that is installed, new enough, and has the language host
  cli=$(command -v pulumi) || return 1
  real=$(dirname "$(readlink -f "$cli")")
  [ "$real" != "$(readlink -m "$dir")" ] || return 1 # ours, seen through tools/env.sh: must stay up to date
  [ -x "$real/pulumi-language-nodejs" ] || command -v pulumi-language-nodejs >/dev/null || return 1
  found=$(PULUMI_SKIP_UPDATE_CHECK=true "$cli" version 2>/dev/null) || return 1
  [ "$(printf '%s\n' "v$oldest" "$found" | sort -V | head -n 1)" = "v$oldest" ] || return 1
  dirname "$cli"
}

cached() { [ -x "$dir/pulumi" ] && { [ -x "$dir/pulumi-language-nodejs" ] || [ -e "$dir/built-from-source" ]; }; }

download() { # the official archive, which holds the language host too, into $work
  case $(uname -sm) in
    "Linux x86_64") archive=pulumi-v$version-linux-x64.tar.gz ;;
    "Linux aarch64") archive=pulumi-v$version-linux-arm64.tar.gz ;;
    *) return 1 ;;
  esac
  from=https://get.pulumi.com/releases/sdk
  # Some networks drop packets instead of refusing: give up on them within seconds. The small file goes first.
  curl -fsSL --connect-timeout 5 --max-time 15 "$from/pulumi-$version-checksums.txt" >"$work/sums" 2>/dev/null || return 1
  say "Downloading Pulumi $version"
  curl -fsSL --connect-timeout 5 --max-time 600 --speed-limit 100000 --speed-time 15 "$from/$archive" \
    >"$work/$archive" || return 1
  (cd "$work" && awk -v name="$archive" '$2 == name' sums | sha256sum --check --quiet - >&2) || return 1
  tar -xzf "$work/$archive" -C "$work" --strip-components=1 || return 1
  rm "$work/$archive" "$work/sums"
}

build() { # the CLI alone, from the modules that go.sum pins, into $work
  if ! command -v go >/dev/null; then
    say "Pulumi $version cannot be downloaded here, and there is no Go to build it with."
    say "Install Pulumi $oldest or newer, or Go, and run this again."
    return 1
  fi
  say "Building Pulumi $version from its Go modules: about three minutes, log in $cache/build.log"
  stamp=github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v$version
  # Without cgo the result needs neither gcc nor this machine's libc.
  if ! CGO_ENABLED=0 go build -C "$root/tools/pulumi-cli" -mod=readonly -trimpath -buildvcs=false \
    -tags osusergo,grpcnotrace -ldflags "-s -w -X $stamp" -o "$work/pulumi" \
    github.com/pulumi/pulumi/pkg/v3/cmd/pulumi </dev/null >"$cache/build.log" 2>&1; then
    tail -n 20 "$cache/build.log" >&2
    return 1
  fi
  : >"$work/built-from-source"
}

put() { # put FILE DESTINATION: an executable copy, in one rename, only when it differs
  cmp -s "$1" "$2" && [ -x "$2" ] && return
  cp "$1" "$2.$$" && chmod 755 "$2.$$" && mv "$2.$$" "$2"
}

complete_built() { # what the official archive has beside the CLI; the engine warns when it finds them elsewhere
  put "$root/tools/pulumi-language-nodejs/host.cjs" "$dir/pulumi-language-nodejs"
  put "$root/node_modules/@pulumi/pulumi/pulumi-resource-pulumi-nodejs" "$dir/pulumi-resource-pulumi-nodejs"
  [ "$(readlink "$dir/node_modules")" = "$root/node_modules" ] && return
  ln -s "$root/node_modules" "$dir/node_modules.$$" && mv -T "$dir/node_modules.$$" "$dir/node_modules"
}

if on_path; then exit 0; fi
mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || { say "Waiting for another set-up"; flock 9; }
if ! cached; then
  rm -rf "$cache"/new.* "$dir" # what a killed run left
  work=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' INT TERM HUP
  if ! download; then
    rm -rf "$work" && mkdir "$work"
    build
  fi
  chmod 755 "$work"
  mv -T "$work" "$dir"
fi
if [ -e "$dir/built-from-source" ]; then complete_built; fi
echo "$dir"
