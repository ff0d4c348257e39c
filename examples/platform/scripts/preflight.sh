#!/bin/sh
# preflight.sh HOST.CONF   checks whether this host can become a controller; changes nothing, and prints all problems in one report
set -eu
# shellcheck source=../../../components/worker/scripts/common.sh
. "${0%/*}/common.sh"
# shellcheck source=/dev/null
. "$1"

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # users other than root may not have these

problems=
problem() { problems="$problems
  - $1"; }

[ "$(id -u)" = 0 ] || problem "user $(id -un) is not root and cannot run commands with 'sudo -n': allow it without a password, or log in as root (ssh.user)"
systemd=$(systemctl --version 2>/dev/null | awk 'NR == 1 { print $2 + 0 }')
[ "${systemd:-0}" -ge 247 ] || problem "systemd ${systemd:-of this host} is too old: use an image with systemd 247 or newer"
[ "$(architecture)" != unsupported ] || problem "architecture $(uname -m) is not supported: use a host with x86_64 or aarch64"
for tool in awk flock sha256sum ss tar; do
  command -v "$tool" >/dev/null || problem "'$tool' is missing: install it"
done
command -v curl >/dev/null || command -v wget >/dev/null || problem "neither curl nor wget is installed: install one of them"
[ -n "$(ip -o address show to "$ADDRESS" 2>/dev/null)" ] || problem "address $ADDRESS is on no interface of this host: correct the controller's address"

# The scripts of a worker are in the same place, so one machine cannot be both.
present=$(sed -n "s/^OWNER='\(.*\)'$/\1/p" "$CONF/host.conf" 2>/dev/null || true)
if [ -n "$present" ] && [ "$present" != "$OWNER" ]; then
  problem "this host belongs to $present: remove that first, or use another VM"
elif [ -z "$present" ]; then
  [ ! -e /var/lib/etcd ] || problem "/var/lib/etcd exists: move the data of another etcd away"
  for port in 2379 2380 2381 6443 10257 10259; do
    [ -z "$(ss -Hltn "sport = :$port" 2>/dev/null)" ] || problem "port $port is in use: stop what listens there ('ss -ltnp')"
  done
fi
[ -z "$problems" ] || fail "this host cannot become a controller yet:$problems" "fix every item in the list, then run 'pulumi up' again; nothing was changed on the host"
