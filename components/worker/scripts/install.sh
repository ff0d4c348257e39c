#!/bin/sh
# Checks a bare host, installs the scripts below on it, and runs its first step. A user who cannot become root gets the report of the checks only.
set -eu

fail() { # MESSAGE HINT
  printf 'tls-bootstrap: %s\n  what to do: %s\n' "$1" "$2" >&2
  exit 1
}

main() { # create | update
  command -v gzip >/dev/null || fail "gzip is missing on this host" "install the package gzip, then run 'pulumi up' again"
  umask 022 # a login may have a stricter one, and then users other than root would not see what is installed here
  # On a tmpfs, so that a full disk does not keep the report from being made. Only root may write there.
  staged=$(mktemp -d -p /run 2>/dev/null || mktemp -d)
  trap 'rm -rf "$staged"' EXIT
  file() { # MODE PATH < CONTENT
    [ -d "$staged${2%/*}" ] || mkdir -p "$staged${2%/*}"
    cat >"$staged$2"
    printf '%s %s\n' "$1" "$2" >>"$staged/files"
  }
  scripts=/opt/tls-bootstrap/scripts
  mkdir -p "$staged$scripts"
  packed() { # < scripts, compressed: before the text of each, a line '==> MODE NAME'
    base64 -d | gzip -d | awk -v folder="$staged$scripts" '
      $1 == "==>" { file = folder "/" $3; if ($2 == "0755") print file >(folder ".executable"); next }
      { print >file }'
    xargs chmod 0755 <"$staged$scripts.executable"
  }
  # renderHostScript puts the calls of file and packed in place of this line.
  : files
  sh "$staged$scripts/preflight.sh" "$staged/etc/tls-bootstrap/host.conf"
  # shellcheck source=common.sh
  . "$staged$scripts/common.sh"
  # Not while a step runs: it would go on with half of the old scripts and half of the new ones.
  (umask 077 && mkdir -p "$RUN")
  exec 9>"$RUN/lock"
  hold_lock 900
  install_tree "$staged" "$staged/files"
  # All scripts at once: a process for each takes longer than everything else here.
  rm -rf "$LIB/new"
  mkdir -p "$LIB/new"
  cp -p "$staged$LIB"/* "$LIB/new"
  sync "$LIB"/new/*
  mv -f -t "$LIB" "$LIB"/new/*
  rmdir "$LIB/new"
  relabel "$LIB"
  sync "$LIB"
  exec 9>&-
  rm -rf "$staged"
  exec "$scripts/run.sh" host apply "$1" </dev/null
}

# A connection that breaks off before this line runs nothing.
main "$1"
