#!/bin/sh
# Installs the scripts below on a bare host and prepares it with the first of them.
set -eu

# install_file of common.sh, which is not on the host yet.
file() { # MODE PATH < CONTENT
  mkdir -p "${2%/*}"
  cat >"$2.tls-bootstrap"
  chmod "$1" "$2.tls-bootstrap"
  sync "$2.tls-bootstrap"
  mv -fT "$2.tls-bootstrap" "$2"
}

main() {
  [ "$(id -u)" = 0 ] || { echo "tls-bootstrap: must run as root" >&2; exit 1; }
  [ -d /run/systemd/system ] || { echo "tls-bootstrap: this host is not run by systemd, which the kubelet's unit needs" >&2; exit 1; }
  # files
  exec /usr/local/lib/tls-bootstrap/run.sh host apply </dev/null
}

main
