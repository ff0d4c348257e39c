#!/bin/sh
# preflight.sh [HOST.CONF]   checks whether this host can become a worker; changes nothing
#
# Prints all problems in one report, each with what to do. When there is none, it prints a line of JSON: a hash that identifies the machine, and
# notes about what an administrator should know.
set -eu
# shellcheck source=common.sh
. "${0%/*}/common.sh"
conf=${1:-$CONF/host.conf}
# shellcheck source=/dev/null
. "$conf"

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # users other than root may not have these
USER_ID=$(id -u)
VERSIONS=/opt/kubernetes
FREE_MIB=512
# The signer dates certificates back by 5 minutes (k8s.io/kubernetes pkg/controller/certificates/signer). A clock further behind finds its own
# certificate not valid yet. The rest is for drift until somebody notices.
SKEW_SECONDS=120
API_SECONDS=60

problems=
problem() { problems="$problems
  - $1"; }

# For the JSON, and for the report of problems.
notes=
noted=
note() {
  notes="$notes${notes:+,}$(json_string "$1")"
  noted="$noted
  - no action is needed: $1"
}

check_user() {
  [ "$USER_ID" != 0 ] || return 0
  answer=$(sudo -n /bin/sh -c : 2>&1) || true
  problem "user $(id -un) is not root and cannot run commands with 'sudo -n' ($(printf '%s' "$answer" | tail -n 1)): allow it without a password, or log in as root (ssh.user)"
}

# stack_of URN: the part of a URN that names its stack.
stack_of() { printf '%s\n' "$1" | cut -d : -f 1-5; }

# ours: an earlier update has made this host a worker. Without it, what is here belongs to another installation.
ours() { [ -e "$CONF/node.conf" ]; }

check_system() {
  [ -d /run/systemd/system ] || problem "this host does not run systemd, which starts the kubelet: use an image with systemd"
  systemd=$(systemctl --version 2>/dev/null) || systemd=
  systemd=${systemd#systemd } # 252 (252.39-1~deb12u1)
  systemd=${systemd%%[!0-9]*}
  [ "${systemd:-0}" -ge 246 ] || problem "systemd ${systemd:-of this host} is too old: use an image with systemd 246 or newer"
  [ "$(architecture)" != unsupported ] || problem "architecture $(uname -m) is not supported: use a host with x86_64 or aarch64"
  for tool in awk cmp flock ip ss sha256sum sysctl mount findmnt $TOOLS; do
    command -v "$tool" >/dev/null || problem "'$tool' is missing: install it"
  done
  command -v curl >/dev/null || command -v wget >/dev/null || problem "neither curl nor wget is installed: install one of them"
  id=
  [ ! -r /etc/machine-id ] || read -r id </etc/machine-id || true
  case "$id" in *[!0-9a-f]*) id= ;; esac
  [ "${#id}" = 32 ] || problem "/etc/machine-id is not set: run systemd-machine-id-setup"
}

# check_module MODULE FILE [TEXT]: MODULE is in effect, as FILE shows, or can be loaded. A container cannot load one, but its machine may have.
check_module() {
  if [ -e "$2" ] && { [ $# = 2 ] || grep -q "$3" "$2"; }; then return 0; fi
  modprobe -nq "$1" 2>/dev/null || problem "the kernel has no module $1: install the package with more modules (linux-modules-extra, kernel-modules)"
}

# at_least MINIMUM VERSION
at_least() { printf '%s\n' "$1" "$2" | sort -CV; }

# kube-proxy does not start with an older one (k8s.io/kubernetes pkg/proxy/nftables). Before that, it has deleted the rules of iptables.
check_nftables() {
  case " $TOOLS " in *' nft '*) ;; *) return 0 ;; esac
  kernel=$(uname -r)
  at_least 5.13 "$kernel" || problem "Linux $kernel is too old for kube-proxy with nftables: use 5.13 or newer, or set kubeProxy.config.mode: iptables"
  command -v nft >/dev/null || return 0 # check_system has reported it
  version=$(nft --version 2>&1 | sed -n 's/^nftables v\([0-9.]*\).*/\1/p')
  at_least 1.0.1 "${version:-0}" || problem "nft ${version:-of this host} is too old for kube-proxy: install nftables 1.0.1 or newer, or set kubeProxy.config.mode: iptables"
}

# SELinux keeps systemd from starting programs that have the type of a download.
check_selinux() {
  command -v restorecon >/dev/null || [ "$(getenforce 2>/dev/null)" != Enforcing ] ||
    problem "SELinux is enforced and 'restorecon' is missing: install policycoreutils"
}

check_kernel() {
  check_module overlay /proc/filesystems overlay
  check_module br_netfilter /proc/sys/net/bridge/bridge-nf-call-iptables
}

# The kubelet does not start without these cgroup controllers (k8s.io/kubernetes pkg/kubelet/cm), except for pids, which limits pods.
check_cgroups() {
  if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
    read -r controllers </sys/fs/cgroup/cgroup.controllers || true
    for controller in cpu cpuset memory pids; do
      case " $controllers " in *" $controller "*) ;; *) problem "cgroup controller $controller is off: remove what turns it off from the kernel command line" ;; esac
    done
    return 0
  fi
  [ "$CGROUP_V1" = allow ] ||
    problem "this host has cgroup v1, which this kubelet refuses: boot it with systemd.unified_cgroup_hierarchy=1, or set kubelet.failCgroupV1: false"
  for controller in cpu cpuacct cpuset memory pids; do
    awk -v name="$controller" '$3 == "cgroup" && ("," $4 ",") ~ ("," name ",") { found = 1 } END { exit !found }' /proc/mounts ||
      problem "cgroup controller $controller is not mounted: boot with systemd.unified_cgroup_hierarchy=1, or mount it"
  done
}

# check_swap: step host turns swap off. What swap holds must then fit into memory, or the kernel ends programs.
check_swap() {
  [ "$SWAP" = off ] || return 0
  { read -r _ && read -r _; } </proc/swaps || return 0
  devices=$(awk 'NR > 1 { printf "%s%s", separator, $1; separator = ", " }' /proc/swaps)
  used=$(awk 'NR > 1 { kib += $4 } END { print int(kib / 1024) }' /proc/swaps)
  free=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
  if [ "$used" -ge "$free" ]; then
    problem "swap is on ($devices), and its $used MiB do not fit into the $free MiB of memory that are available: end programs or add memory, or set kubelet.failSwapOn: false to keep swap"
  else
    note "step host turns swap off ($devices), now and after a reboot; kubelet.failSwapOn: false keeps it"
  fi
}

# nearest FOLDER: sets $parent to FOLDER, or to its nearest parent that exists.
nearest() {
  parent=$1
  while [ ! -d "${parent:-/}" ]; do parent=${parent%/*}; done
  parent=${parent:-/}
}

check_disk() {
  parents=
  for folder in "$VERSIONS" "$KUBELET_DIR" /var/lib/containerd; do
    nearest "$folder"
    parents="$parents $parent"
  done
  # shellcheck disable=SC2046,SC2086 # lists
  set -- $(df -Pm $parents | awk 'NR > 1 { print $4 }')
  for folder in "$VERSIONS" "$KUBELET_DIR" /var/lib/containerd; do
    [ "$1" -ge "$FREE_MIB" ] || problem "only $1 MiB are free for $folder: make room for at least $FREE_MIB MiB"
    shift
  done
  for folder in "$VERSIONS" "$LIB"; do
    nearest "$folder"
    case ",$(findmnt -nT "$parent" -o OPTIONS)," in *,noexec,*) problem "$folder would be on a file system that is mounted noexec: remount it with exec" ;; esac
  done
  [ "$USER_ID" = 0 ] || return 0 # only root may write there
  for folder in "$VERSIONS" "$LIB" "$CONF" "$STATE" "$KUBELET_DIR" /etc/kubernetes /etc/systemd/system /etc/sysctl.d /etc/modules-load.d; do
    nearest "$folder"
    [ -w "$parent" ] || problem "$folder cannot be written: make its file system writable"
  done
  nearest "$BIN_DIR"
  [ -w "$parent" ] || problem "$BIN_DIR cannot be written: set binDir to a folder that can, such as /opt/bin"
}

# listener PORT: the process that listens on PORT; nothing when there is none.
listener() { ss -Hltnp "sport = :$1" | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (process \2)/p; t; s/.*/a process/p' | head -n 1; }

check_ports() {
  any=
  for port in $PORTS; do any="$any${any:+ or }sport = :$port"; done
  [ -n "$(ss -Hltn "$any")" ] || return 0
  for port in $PORTS; do
    process=$(listener "$port")
    case "$process" in
      '') ;;
      'kubelet '* | 'kube-proxy '*) ours || problem "port $port is in use by $process of another installation: remove that node first (kubeadm reset)" ;;
      *) problem "port $port, which the node needs, is in use by $process: stop it, or let it listen on another port" ;;
    esac
  done
}

check_other_installations() {
  # shellcheck source=/dev/null
  if ours && joined && was=$(. "$CONF/node.conf" && echo "$NODE_NAME $API_SERVER $OWNER") && [ "${was% *}" != "$NODE_NAME $API_SERVER" ]; then
    [ "$(stack_of "${was##* }")" = "$(stack_of "$OWNER")" ] ||
      problem "this host is node ${was%% *} of another stack (${was##* }): remove it from that stack first, or correct the address of $NODE_NAME"
  fi
  ours || for theirs in "$KUBELET_KUBECONFIG" "$CLIENT_CERTIFICATE" /etc/systemd/system/kubelet.service; do
    [ ! -e "$theirs" ] || problem "$theirs exists: this host is, or was, a node of another installation; remove that node first (kubeadm reset)"
  done
  if pgrep -x dockerd >/dev/null 2>&1; then
    note "a Docker engine (dockerd) runs beside the kubelet and was not changed. If pods cannot reach pods of other nodes, look at its rules: iptables -S FORWARD"
  fi
}

# api_answer: what the API server says of its version, with the headers; or the error. By default it tells everybody. The server need not prove
# itself here, because nothing secret is sent. Step join verifies the server before it sends the token.
api_answer() {
  if command -v curl >/dev/null; then
    curl --insecure --silent --show-error --noproxy '*' --max-time 10 --include "$API_SERVER/version" 2>&1
  else
    wget --no-check-certificate --no-proxy --timeout=10 --tries=1 --server-response --output-document=- "$API_SERVER/version" 2>&1
  fi
}

# minor_in ANSWER: the minor version in an answer of the API server; nothing when it has none.
minor_in() { printf '%s\n' "$1" | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p'; }

# lacks_ipv4: the API server needs IPv4, as far as its URL tells, and this host has IPv6 only. A bridge of pods may have IPv4 addresses all the same.
lacks_ipv4() {
  server=${API_SERVER#https://}
  server=${server%%[:/]*}
  case "$server" in
    '['*) return 1 ;;
    *[!0-9.]*) [ -z "$(ip -4 route show default)" ] ;;
    *) ! ip -4 route get "$server" >/dev/null 2>&1 ;;
  esac
}

check_api_server() {
  api=
  command -v curl >/dev/null || command -v wget >/dev/null || return 0
  clock
  deadline=$((NOW + API_SECONDS))
  while :; do
    api=$(api_answer) || true
    date=$(printf '%s\n' "$api" | sed -n 's/\r$//; s/^ *[Dd]ate: //p' | head -n 1)
    if [ -n "$date" ] && times=$(printf '%s\nnow\n' "$date" | date -f - +%s 2>/dev/null); then break; fi
    if over "$deadline"; then
      answer=$(printf '%s\n' "$api" | grep -m 1 '[Ff]ailed\|[Cc]ould not\|unable\|timed out') || true
      if lacks_ipv4; then
        problem "the API server at $API_SERVER cannot be reached from this host (${answer:-no answer}), which has no IPv4 route to it: set cluster.server to an IPv6 address or a name that has one, or give this host an IPv4 address"
      else
        problem "the API server at $API_SERVER cannot be reached from this host (${answer:-no answer}): check the network between them, and cluster.server"
      fi
      return 0
    fi
    sleep 2
  done
  skew=$((${times##*[!0-9]} - ${times%%[!0-9]*}))
  [ "${skew#-}" -le "$SKEW_SECONDS" ] ||
    problem "this host's clock is $skew s off the API server's, more than $SKEW_SECONDS s: synchronize it (timedatectl set-ntp true); certificates would not be valid yet, or no longer"
}

# The version skew policy of Kubernetes: https://kubernetes.io/releases/version-skew-policy/
check_versions() {
  wanted=$(minor "$KUBERNETES_VERSION")
  server=$(minor_in "$api")
  # shellcheck source=/dev/null
  if [ -z "$server" ] && joined; then server=$(minor_in "$(. "$CONF/node.conf" && as_node get --raw /version 2>&1)"); fi
  if [ -n "$server" ]; then
    [ "$wanted" -le "$server" ] || problem "kubelet $KUBERNETES_VERSION would be newer than the API server, which is 1.$server: upgrade the API servers first"
    [ "$wanted" -ge $((server - 3)) ] || problem "kubelet $KUBERNETES_VERSION would be more than three minor versions older than the API server, which is 1.$server: set kubernetesVersion to a release of 1.$((server - 3)) or newer"
  fi
  runs=$(kubelet_version '')
  if joined && [ -n "$runs" ]; then
    step=$((wanted - $(minor "$runs")))
    [ "${step#-}" -le 1 ] || problem "this node has Kubernetes $runs and changes by one minor version at a time: set kubernetesVersion to a release of 1.$(($(minor "$runs") + step / ${step#-})) first"
  fi
}

check_address() {
  addresses=$NODE_ADDRESS,
  while [ -n "$addresses" ]; do
    address=${addresses%%,*}
    addresses=${addresses#*,}
    # As an address, because an IPv6 address has many forms.
    [ -n "$(ip -o address show to "$address" 2>/dev/null)" ] || problem "address $address is on no interface of this host: set the worker's nodeAddress"
  done
}

check_runtime() {
  [ "$USER_ID" = 0 ] || return 0 # containerd answers root only
  while read -r found; do
    [ -z "$found" ] || problem "$found"
  done <<END
$(HOST_CONF=$conf sh "${0%/*}/runtime.sh" check)
END
}

check_user
check_system
check_selinux
check_kernel
check_nftables
check_cgroups
check_swap
check_disk
check_ports
check_other_installations
check_address
check_runtime
check_api_server
check_versions
[ -z "$problems" ] || fail "this host cannot become a worker yet:$problems$noted" "fix every item in the list, then run 'pulumi up' again; nothing was changed on the host"
printf '{"step":"preflight","machine":"%s","notes":[%s]}\n' "$(machine)" "$notes"
