# shellcheck shell=sh
# What every phase shares. Sourced by the other scripts, never run by itself.
# shellcheck disable=SC2034 # used by those who source this


LIB=/opt/tls-bootstrap/scripts    # these scripts; /usr is read-only on some systems
CONF=/etc/tls-bootstrap           # what the phases are told: host.conf, node.conf
STATE=/var/lib/tls-bootstrap      # what the phases remember
RUN=/run/tls-bootstrap            # lock and input of the phase that runs; gone after a reboot

CA=/etc/kubernetes/pki/ca.crt
KUBELET_DIR=/var/lib/kubelet
KUBELET_KUBECONFIG=/etc/kubernetes/kubelet.conf
BOOTSTRAP_KUBECONFIG=/etc/kubernetes/bootstrap-kubelet.conf
CLIENT_CERTIFICATE=$KUBELET_DIR/pki/kubelet-client-current.pem
KUBE_PROXY_KUBECONFIG=/etc/kubernetes/kube-proxy.conf

# Progress goes to stderr; stdout is for the phase's receipt.
say() { printf '%s\n' "$*" >&2; }

# fail MESSAGE [HINT]: the phase ends here.
fail() {
  say "tls-bootstrap: $1"
  [ $# -lt 2 ] || say "  what to do: $2"
  exit 1
}

architecture() {
  case "$(uname -m)" in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) echo unsupported ;;
  esac
}

# machine: which machine this is. A hash, since what /etc/machine-id says is not for the network (machine-id(5)).
machine() { sha256sum /etc/machine-id | cut -c 1-32; }

now_ms() { date +%s%3N; }

# install_file MODE PATH < CONTENT: never a half-written file, also after a power cut.
install_file() {
  mkdir -p "${2%/*}"
  rm -f "$2.tls-bootstrap"
  (umask 077 && cat >"$2.tls-bootstrap")
  chmod "$1" "$2.tls-bootstrap"
  sync "$2.tls-bootstrap"
  mv -fT "$2.tls-bootstrap" "$2"
  sync "${2%/*}"
}

# link TARGET PATH: points PATH at TARGET in one step.
link() {
  mkdir -p "${2%/*}"
  ln -sfT "$1" "$2.tls-bootstrap"
  mv -fT "$2.tls-bootstrap" "$2"
}

# volume_mounts: what is mounted below the kubelet's folder, deepest first, as /proc/mounts writes it.
volume_mounts() { awk -v folder="$KUBELET_DIR/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | sort -r; }

# empty_kubelet_dir [KEPT]: deletes what is in the kubelet's folder, but KEPT. A volume that is still mounted there would be deleted through its mount,
# with the pod's data; so each must be gone first.
empty_kubelet_dir() {
  volume_mounts | while read -r mounted; do umount "$mounted" 2>/dev/null || true; done
  mounted=$(volume_mounts)
  [ -z "$mounted" ] || fail "volumes are still mounted below $KUBELET_DIR, so nothing there was deleted:
$(printf '%s' "$mounted" | sed 's/^/    /')" "stop what uses them ('fuser -vm PATH' tells), unmount them, and run the update again"
  [ ! -d "$KUBELET_DIR" ] || find "$KUBELET_DIR" -mindepth 1 -maxdepth 1 ! -name "${1:-}" -exec rm -rf --one-file-system {} +
}

# json_string TEXT: TEXT as a JSON string.
json_string() {
  printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g; s/\t/\\t/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }')"
}

# unit_journal UNIT: why it is unhappy, for an error report.
unit_journal() {
  say "  last lines of $1 (journalctl -u $1):"
  journalctl -u "$1" --no-pager -o cat -n 400 2>/dev/null | grep -E '^[EF][0-9]|[Ee]rror|[Ff]ailed|panic' | tail -n 8 | sed 's/^/    /' >&2 || true
}

# stop_unit UNIT: stops it and keeps it from starting at boot. A kubelet that is told to stop in its first moments exits with an error; what was stopped
# on purpose is not left among the failed units, for which hosts are watched.
stop_unit() {
  systemctl disable --quiet --now "$1" 2>/dev/null || true
  systemctl reset-failed "$1" 2>/dev/null || true
}

# as_node ARG...: kubectl with the node's own certificate. Needs node.conf.
as_node() { "$KUBECTL" --kubeconfig "$KUBELET_KUBECONFIG" --request-timeout 10s "$@"; }

# A cordon of ours is told from an administrator's by this annotation.
DRAINED=tls-bootstrap/drained

# node_field TEMPLATE: a JSONPath template filled in from this host's Node; empty when it cannot be read.
node_field() { as_node get node "$NODE_NAME" -o "jsonpath=$1" 2>/dev/null || true; }

now_rfc3339() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# ready_since RFC3339: the kubelet has reported its Node as Ready since then. What an earlier kubelet said does not count.
ready_since() {
  ready=$(node_field '{range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{end}')
  [ "${ready%% *}" = True ] && printf '%s\n' "$1" "${ready#* }" | LC_ALL=C sort -C
}

fetch() { # URL
  if command -v curl >/dev/null; then curl --silent --fail --noproxy '*' --max-time 5 "$1"; else wget --quiet --no-proxy --timeout=5 --tries=1 -O - "$1"; fi
}

# kube_proxy_works: it has written its rules since it started. Its health check alone says yes before that.
kube_proxy_works() {
  fetch http://localhost:10256/healthz >/dev/null &&
    fetch http://localhost:10249/metrics | grep -q '^kubeproxy_sync_proxy_rules_last_timestamp_seconds[^ ]* [1-9]'
}

# healthy UNIT SINCE: it works again after its restart: the kubelet has reported its Node as Ready since then.
healthy() {
  deadline=$(($(date +%s) + 90))
  restarts=$(systemctl show -P NRestarts "$1")
  while [ "$(date +%s)" -lt "$deadline" ]; do
    case "$1" in
      kubelet) ! ready_since "$2" || return 0 ;;
      kube-proxy) ! kube_proxy_works || return 0 ;;
    esac
    [ "$(systemctl show -P NRestarts "$1")" -lt $((restarts + 2)) ] || return 1 # it does not even start
    sleep 0.3
  done
  return 1
}
