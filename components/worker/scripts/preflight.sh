#!/bin/sh
# preflight.sh   looks whether this host can become a worker, told by host.conf; changes nothing
#
# One report with all problems, each with what to do about it.
set -eu
# shellcheck source=common.sh
. /usr/local/lib/tls-bootstrap/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"

VERSIONS=/opt/kubernetes

problems=
problem() { problems="$problems
  - $1"; }

# free_mib PATH: free space of the file system that holds PATH or its nearest parent.
free_mib() {
  path=$1
  while [ ! -d "$path" ]; do path=$(dirname "$path"); done
  df -Pm "$path" | awk 'NR == 2 { print $4 }'
}

[ "$(architecture)" != unsupported ] || problem "architecture $(uname -m): only x86_64 and aarch64 are supported"
for tool in flock ip sha256sum sysctl mount; do
  command -v "$tool" >/dev/null || problem "'$tool' is missing: install it"
done
command -v curl >/dev/null || command -v wget >/dev/null || problem "neither curl nor wget is installed: one is needed for downloads"
ip -o address show | grep -qF " $NODE_ADDRESS/" || problem "address $NODE_ADDRESS is on no interface of this host: set the worker's nodeAddress"
while read -r found; do
  [ -z "$found" ] || problem "$found"
done <<END
$("$LIB/runtime.sh" check)
END
[ "$(free_mib "$VERSIONS")" -ge 512 ] || problem "less than 512 MiB free for $VERSIONS"
[ "$(free_mib "$KUBELET_DIR")" -ge 512 ] || problem "less than 512 MiB free for $KUBELET_DIR"
if [ ! -e "$CONF/node.conf" ]; then
  # Not ours yet: whatever is here belongs to somebody else.
  for theirs in "$KUBELET_KUBECONFIG" "$CLIENT_CERTIFICATE" /etc/systemd/system/kubelet.service; do
    [ ! -e "$theirs" ] || problem "$theirs exists: this host is, or was, a node of another installation; clean it first (kubeadm reset)"
  done
  [ -z "$(ss -Hltn 'sport = :10250' 2>/dev/null)" ] || problem "port 10250, the kubelet's, is in use"
fi
[ -z "$problems" ] || fail "this host cannot become a worker yet:$problems" "mend these and run the update again; nothing was changed on the host"
