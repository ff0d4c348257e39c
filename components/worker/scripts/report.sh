#!/bin/sh
# report.sh run      tells the cluster what this node runs with: annotations of its Node, written with the node's own certificate
# report.sh apply    does that, and installs the timer that repeats it each hour; for a step, which has changed something
# report.sh remove   removes the timer
#
# A report finds files that were changed by hand. The timer costs the API server one GET, and one PATCH when an annotation differs.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh

UNIT=tls-bootstrap-report
UNITS=/etc/systemd/system
HINT="make sure that the API server accepts this node; the timer tries again each hour, or run 'systemctl start $UNIT'"

# What differs by node: lines of node.conf, of the kubelet's unit and config, and of kube-proxy's config. components/worker/configHash.ts has the same.
OF_THE_NODE='^(OWNER|NODE_NAME|GENERATION|MINT_COMMAND)=|^  --(hostname-override|node-ip|node-labels)=|^(registerWithTaints|hostnameOverride): '

# config_hash: hash of the files of step kubelet as they are now. Equal settings have equal hashes, and the receipt has the declared one.
config_hash() {
  paths=$(recorded_paths kubelet | existing)
  # shellcheck disable=SC2086 # a list of paths without blanks
  sum=$([ -z "$paths" ] || MODES=$(stat -c '0%a %n' $paths) awk -v of_the_node="$OF_THE_NODE" '
    BEGIN { split(ENVIRON["MODES"], mode, "\n") }
    FNR == 1 { print mode[++file] }
    $0 !~ of_the_node' $paths | sha256sum)
  echo "sha256:${sum%% *}"
}

# changed_files: paths of the files that are not as they were installed.
changed_files() { changed_since host kubelet runtime registries | paste -sd ' ' -; }

# serving_certificate: the file that the kubelet serves with: signed by the stack, or by the cluster.
serving_certificate() { if [ -e "$SERVING_CERTIFICATE" ]; then echo "$SERVING_CERTIFICATE"; else echo "$KUBELET_DIR/pki/kubelet-server-current.pem"; fi; }

# end_of TIMES: when the certificate ends, RFC 3339; nothing when it cannot be read.
end_of() { [ -z "$1" ] || date -u -d "@${1##*[!0-9]}" +%Y-%m-%dT%H:%M:%SZ; }

# overdue TIMES NOW: the certificate is in the last twentieth of its life. A kubelet renews after nine tenths at the latest.
overdue() {
  end=${1##*[!0-9]}
  [ -n "$end" ] && [ "$2" -gt $((end - (end - ${1%%[!0-9]*}) / 20)) ]
}

# facts: "KEY VALUE" of each annotation below tls-bootstrap/. One without a value must not exist. The date tells that reports still come.
facts() {
  now=$(date -u '+%s %Y-%m-%d')
  client=$(certificate_times "$CLIENT_CERTIFICATE") serving=$(certificate_times "$(serving_certificate)") overdue=
  ! overdue "$client" "${now% *}" || overdue=client
  ! overdue "$serving" "${now% *}" || overdue="$overdue${overdue:+ }serving"
  cat <<END
config-hash $(config_hash)
changed-by-hand $(changed_files)
client-certificate-end $(end_of "$client")
serving-certificate-end $(end_of "$serving")
certificate-overdue $overdue
runtime $(sed -n 1p "$RUNTIME_IN_USE" 2>/dev/null)
reported ${now#* }
END
}

# differences [NODE]: the facts that the Node, as JSON, does not have, as entries of a JSON object. Without NODE all facts.
differences() {
  facts | while read -r key value; do
    name="\"tls-bootstrap/$key\":"
    case "${1:-}" in *"$name\"$value\""*) continue ;; esac
    if [ -n "$value" ]; then
      printf '%s%s,' "$name" "$(json_string "$value")"
      continue
    fi
    case "${1:-$name}" in *"$name"*) printf '%snull,' "$name" ;; esac
  done | sed 's/,$//'
}

# read_node: the Node, in one request. 'kubectl get node' asks the API server first which resources it has.
read_node() { as_node get --raw "/api/v1/nodes/$NODE_NAME" 2>&1; }

annotate() { patch_node "{\"metadata\":{\"annotations\":{$1}}}" 2>&1; }

# report changes: writes what differs. report all: does not read the Node first.
report() {
  joined || return 0
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  node=
  [ "$1" = all ] || node=$(patiently read_node) || fail "$NODE_NAME cannot read its Node, so it reports nothing: $node" "$HINT"
  entries=$(differences "$node")
  [ -n "$entries" ] || return 0
  answer=$(patiently annotate "$entries") || fail "$NODE_NAME cannot annotate its Node: $answer" "$HINT"
}

# The timer's service. Files that a step is about to change are not changed by hand, and the step reports when it ends.
run() {
  umask 077
  mkdir -p "$RUN"
  exec 9>"$RUN/lock"
  flock -w 60 9 || exit 0
  report changes
}

# install_unit NAME < CONTENT: leaves the same file as it is, because systemd would load it again.
install_unit() {
  unit=$(cat)
  [ "$unit" = "$(cat "$UNITS/$1" 2>/dev/null)" ] || printf '%s\n' "$unit" | install_file 0644 "$UNITS/$1"
}

# The first run, some minutes after a boot or a join, is for a serving certificate that is approved after the join. The delay spreads the
# nodes that boot together.
apply() {
  install_unit "$UNIT.timer" <<END
[Unit]
Description=reports each hour what this Kubernetes node runs with

[Timer]
OnActiveSec=5min
OnUnitActiveSec=1h
RandomizedDelaySec=10min

[Install]
WantedBy=timers.target
END
  install_unit "$UNIT.service" <<END
[Unit]
Description=reports what this Kubernetes node runs with
Wants=network-online.target
After=network-online.target
# An administrator may start it as often as needed.
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/bin/sh $LIB/report.sh run
END
  systemctl enable --quiet --no-reload "$UNIT.timer"
  reload_changed "$UNIT.timer" "$UNIT.service"
  systemctl start "$UNIT.timer"
  report all
}

remove() {
  stop_unit "$UNIT.timer"
  stop_unit "$UNIT.service"
  rm -f "$UNITS/$UNIT.timer" "$UNITS/$UNIT.service"
  systemctl daemon-reload
}

case "$1" in
  run) run ;;
  apply) apply ;;
  remove) remove ;;
esac
