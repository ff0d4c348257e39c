#!/bin/sh
# preflight.sh [HOST.CONF]   looks whether this host can become a worker; changes nothing
#
# One report with all problems, each with what to do about it. When there is none, a line of JSON: which machine this is, and notes about what is
# no problem but worth knowing.
set -eu
# shellcheck source=common.sh
. "${0%/*}/common.sh"
conf=${1:-$CONF/host.conf}
# shellcheck source=/dev/null
. "$conf"

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # not everybody's, and this may run for one who is not root
VERSIONS=/opt/kubernetes
FREE_MIB=512
# Certificates are dated back by 5 minutes (k8s.io/kubernetes pkg/controller/certificates/signer): to a clock that is further behind, its own is
# not valid yet. This leaves room for more drift until somebody notices.
SKEW_SECONDS=120
API_SECONDS=30

problems=
problem() { problems="$problems
  - $1"; }

notes=
note() { notes="$notes${notes:+,}$(json_string "$1")"; }

user() {
  [ "$(id -u)" != 0 ] || return 0
  answer=$(sudo -n /bin/sh -c : 2>&1) || true
  problem "user $(id -un) is not root and may not run everything by 'sudo -n' ($(printf '%s' "$answer" | tail -n 1)): allow it without a password, or log in as root (ssh.user)"
}

# ours: whether an earlier update made this host a worker; anything else that is here belongs to somebody else.
ours() { [ -e "$CONF/node.conf" ]; }

system() {
  [ -d /run/systemd/system ] || problem "this host is not run by systemd, which starts the kubelet: use an image with systemd"
  [ "$(architecture)" != unsupported ] || problem "architecture $(uname -m): only x86_64 and aarch64 are supported"
  for tool in awk cmp flock ip ss sha256sum sysctl mount findmnt $TOOLS; do
    command -v "$tool" >/dev/null || problem "'$tool' is missing: install it"
  done
  command -v curl >/dev/null || command -v wget >/dev/null || problem "neither curl nor wget is installed: one is needed for downloads"
  grep -qE '^[0-9a-f]{32}$' /etc/machine-id 2>/dev/null || problem "/etc/machine-id is not set: run systemd-machine-id-setup"
}

# kernel_has MODULE FILE [TEXT]: what the module is there for is there, or it can be loaded. In a container nothing can, but the machine may have done so.
kernel_has() {
  if [ -e "$2" ] && grep -q "${3:-}" "$2"; then return 0; fi
  modprobe -nq "$1" 2>/dev/null || problem "the kernel has no $1: install the package with its modules (linux-modules-extra, kernel-modules)"
}

kernel() {
  kernel_has overlay /proc/filesystems overlay
  kernel_has br_netfilter /proc/sys/net/bridge/bridge-nf-call-iptables
}

# What the kubelet refuses to start without (k8s.io/kubernetes pkg/kubelet/cm), and what limits pods.
control_groups() {
  if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
    for controller in cpu cpuset memory pids; do
      grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers ||
        problem "control group controller $controller is off: remove what turns it off from the kernel's command line"
    done
    return 0
  fi
  [ "$CGROUP_V1" = allow ] ||
    problem "this host has control groups v1, which this kubelet refuses: boot it with systemd.unified_cgroup_hierarchy=1, or set kubelet.failCgroupV1: false"
  for controller in cpu cpuacct cpuset memory pids; do
    awk -v name="$controller" '$3 == "cgroup" && ("," $4 ",") ~ ("," name ",") { found = 1 } END { exit !found }' /proc/mounts ||
      problem "control group controller $controller is not mounted: boot with systemd.unified_cgroup_hierarchy=1, or mount it"
  done
}

# parent FOLDER: itself, or its nearest parent that exists.
parent() {
  path=$1
  while [ ! -d "$path" ]; do path=$(dirname "$path"); done
  echo "$path"
}

disk() {
  for folder in "$VERSIONS" "$KUBELET_DIR" /var/lib/containerd; do
    free=$(df -Pm "$(parent "$folder")" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$FREE_MIB" ] || problem "only $free MiB are free for $folder: at least $FREE_MIB are needed"
  done
  for folder in "$VERSIONS" "$LIB"; do
    case ",$(findmnt -nT "$(parent "$folder")" -o OPTIONS)," in *,noexec,*) problem "$folder would be on a file system without programs (noexec): mount it without that" ;; esac
  done
  [ "$(id -u)" = 0 ] || return 0 # nobody else may write there in any case
  for folder in "$VERSIONS" "$LIB" "$CONF" "$STATE" "$KUBELET_DIR" /etc/kubernetes /etc/systemd/system /etc/sysctl.d /etc/modules-load.d; do
    [ -w "$(parent "$folder")" ] || problem "$folder cannot be written: its file system is read-only"
  done
  [ -w "$(parent "$BIN_DIR")" ] || problem "$BIN_DIR cannot be written: set binDir to a folder that can, such as /opt/bin"
}

# holder PORT: the process that listens on it; nothing when none does.
holder() { ss -Hltnp "sport = :$1" | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (process \2)/p; t; s/.*/a process/p' | head -n 1; }

ports() {
  for port in $PORTS; do
    who=$(holder "$port")
    case "$who" in
      '') ;;
      'kubelet '* | 'kube-proxy '*) ours || problem "port $port is in use by $who of another installation: take that node out first (kubeadm reset)" ;;
      *) problem "port $port, which the node needs, is in use by $who: stop that, or let it listen elsewhere" ;;
    esac
  done
}

other_installations() {
  # shellcheck source=/dev/null
  if ours && [ -e "$CLIENT_CERTIFICATE" ] && was=$(. "$CONF/node.conf" && echo "$NODE_NAME") && [ "$was" != "$NODE_NAME" ]; then
    problem "this host is node $was, and a node cannot be renamed to $NODE_NAME: first take $was out by an update without either, then add $NODE_NAME"
  fi
  ours || for theirs in "$KUBELET_KUBECONFIG" "$CLIENT_CERTIFICATE" /etc/systemd/system/kubelet.service; do
    [ ! -e "$theirs" ] || problem "$theirs exists: this host is, or was, a node of another installation; clean it first (kubeadm reset)"
  done
  # A Docker engine stays as it is. What it does to forwarded packets is for the network plugin to allow, and mostly it does.
  if pgrep -x dockerd >/dev/null 2>&1; then
    note "a Docker engine (dockerd) runs beside the kubelet. It is left alone; where pods cannot reach those of other nodes, see its rules: iptables -S FORWARD"
  fi
}

# api_date: the Date of the API server's answer, whatever that is; or what is wrong. Nothing secret is sent, so the server need not prove itself
# here; `join` wants that before it sends the token.
api_date() {
  if command -v curl >/dev/null; then
    curl --insecure --silent --show-error --noproxy '*' --max-time 10 --output /dev/null --dump-header - "$API_SERVER/livez" 2>&1
  else
    wget --no-check-certificate --no-proxy --timeout=10 --tries=1 --server-response --output-document=/dev/null "$API_SERVER/livez" 2>&1
  fi | tr -d '\r' | sed -n 's/^ *[Dd]ate: //p; /[Ff]ailed\|[Cc]ould not\|unable\|timed out/p' | head -n 1
}

api_server() {
  command -v curl >/dev/null || command -v wget >/dev/null || return 0
  deadline=$(($(date +%s) + API_SECONDS))
  while :; do
    answer=$(api_date)
    if [ -n "$answer" ] && there=$(date -d "$answer" +%s 2>/dev/null); then break; fi
    if [ "$(date +%s)" -ge "$deadline" ]; then
      problem "the API server at $API_SERVER cannot be reached from this host (${answer:-no answer}): check the network between them, and cluster.server"
      return 0
    fi
    sleep 2
  done
  skew=$(($(date +%s) - there))
  [ "${skew#-}" -le "$SKEW_SECONDS" ] ||
    problem "this host's clock is $skew s off the API server's, more than $SKEW_SECONDS: certificates would not be valid yet, or no longer; synchronise it (timedatectl set-ntp true)"
}

address() {
  ip -o address show | grep -qF " $NODE_ADDRESS/" || problem "address $NODE_ADDRESS is on no interface of this host: set the worker's nodeAddress"
}

# Of the container runtime, and of what is to be installed of it.
runtime() {
  [ "$(id -u)" = 0 ] || return 0 # containerd answers root only
  while read -r found; do
    [ -z "$found" ] || problem "$found"
  done <<END
$(HOST_CONF=$conf sh "${0%/*}/runtime.sh" check)
END
}

user
system
kernel
control_groups
disk
ports
other_installations
address
runtime
api_server
[ -z "$problems" ] || fail "this host cannot become a worker yet:$problems" "mend these and run the update again; nothing was changed on the host"
printf '{"phase":"preflight","machine":"%s","notes":[%s]}\n' "$(machine)" "$notes"
