#!/bin/sh
# unpack.sh SHA256 [URL]   installs the scripts of a scale group's machine from their bundle, if the bundle is the one with that checksum
#
# The user data has brought the bundle, or names the URL to download it from. A bundle is shell: `file MODE PATH <<'END'` for each file.
set -eu

BUNDLE=/opt/tls-bootstrap/bundle
SCRIPTS=/opt/tls-bootstrap/scripts
PROXY=/etc/tls-bootstrap/boot/host.conf # the variables of the proxy are in it

fail() {
  printf 'tls-bootstrap: %s\n  what to do: %s\n' "$1" "$2" >&2
  exit 1
}

file() { # MODE PATH < CONTENT
  mkdir -p "${2%/*}"
  rm -f "$2.tls-bootstrap"
  (umask 077 && cat >"$2.tls-bootstrap")
  chmod "$1" "$2.tls-bootstrap"
  sync "$2.tls-bootstrap"
  mv -fT "$2.tls-bootstrap" "$2"
}

download() { # URL FILE
  # shellcheck source=/dev/null
  [ ! -e "$PROXY" ] || . "$PROXY"
  export http_proxy https_proxy no_proxy
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --connect-timeout 10 --max-time 120 --output "$2" "$1"
  else
    wget --quiet --tries=1 --timeout=30 --output-document="$2" "$1"
  fi
}

checksum() { sha256sum "$1" | cut -d ' ' -f 1; }

# A machine that boots again has them, and so may an image.
[ "$(cat "$SCRIPTS/bundle.sha256" 2>/dev/null)" != "$1" ] || exit 0
if [ $# -gt 1 ]; then
  mkdir -p "${BUNDLE%/*}"
  download "$2" "$BUNDLE" || fail "cannot download the scripts from $2" "make sure that this machine reaches the URL (settings userData.bundleUrl and proxy)"
fi
# One newline at the end, however the file was made: 'pulumi stack output' adds one.
text=$(cat "$BUNDLE")
printf '%s\n' "$text" >"$BUNDLE"
[ "$(checksum "$BUNDLE")" = "$1" ] ||
  fail "the bundle of scripts${2:+ at $2} has SHA-256 $(checksum "$BUNDLE"), but $1 is expected; nothing was installed" "put the bundle of this stack there: pulumi stack output scaleGroupBundle"
# shellcheck source=/dev/null
. "$BUNDLE"
! command -v restorecon >/dev/null || restorecon -RF "${SCRIPTS%/*}" 2>/dev/null || true
rm -f "$BUNDLE"
printf '%s\n' "$1" >"$SCRIPTS/bundle.sha256"
