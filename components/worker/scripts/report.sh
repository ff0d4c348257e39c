#!/bin/sh
# report.sh run      tells the cluster what this node runs with: annotations of its Node, written with the node's own certificate
# report.sh apply    does that, and installs the timer that repeats it each hour
# report.sh remove   removes the timer
#
# A report finds files that were changed by hand. It costs the API server one GET, and one PATCH when an annotation differs.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh

UNIT=tls-bootstrap-report
UNITS=/etc/systemd/system
HINT="make sure that the API server accepts this node; the timer tries again each hour, or run 'systemctl start $UNIT'"

# What differs by node: lines of node.conf, of the kubelet's unit and config, and of kube-proxy's config. components/worker/configHash.ts has the same.
OF_THE_NODE='/^OWNER=/d; /^NODE_NAME=/d; /^GENERATION=/d; /^MINT_COMMAND=/d; /^  --hostname-override=/d; /^  --node-ip=/d; /^  --node-labels=/d; /^registerWithTaints: /d; /^hostnameOverride: /d'

# config_hash: hash of the files of step kubelet as they are now. Equal settings have equal hashes, and the receipt has the declared one.
config_hash() {
  printf 'sha256:'
  while read -r _ _ path; do
    stat -c '0%a %n' "$path" || true
    sed "$OF_THE_NODE" "$path" || true
  done <"$RECORDS/kubelet" 2>/dev/null | sha256sum | cut -c 1-64
}

# changed_files: paths of the files that are not as they were installed.
changed_files() { for name in "$RECORDS"/*; do changed_since "${name##*/}"; done | tr '\n' ' ' | sed 's/ $//'; }

# serving_certificate: the file that the kubelet serves with: signed by the stack, or by the cluster.
serving_certificate() { if [ -e "$SERVING_CERTIFICATE" ]; then echo "$SERVING_CERTIFICATE"; else echo "$KUBELET_DIR/pki/kubelet-server-current.pem"; fi; }

# end_of FILE: when the certificate ends, RFC 3339; nothing when it cannot be read.
end_of() { certificate_times "$1" | sed -n '2 s/^/@/p' | date -u -f - +%Y-%m-%dT%H:%M:%SZ; }

# overdue FILE: the certificate is in the last twentieth of its life. A kubelet renews after nine tenths at the latest.
overdue() { certificate_times "$1" | awk -v now="$(date +%s)" 'NR == 1 { start = $1 } NR == 2 { late = now > $1 - ($1 - start) / 20 } END { exit !late }'; }

overdue_certificates() {
  {
    ! overdue "$CLIENT_CERTIFICATE" || echo client
    ! overdue "$(serving_certificate)" || echo serving
  } | tr '\n' ' ' | sed 's/ $//'
}

# facts: "KEY VALUE" of each annotation below tls-bootstrap/. One without a value must not exist. The date tells that reports still come.
facts() {
  cat <<END
config-hash $(config_hash)
changed-by-hand $(changed_files)
client-certificate-end $(end_of "$CLIENT_CERTIFICATE")
serving-certificate-end $(end_of "$(serving_certificate)")
certificate-overdue $(overdue_certificates)
runtime $(sed -n 1p "$RUNTIME_IN_USE" 2>/dev/null)
reported $(date -u +%Y-%m-%d)
END
}

# differences NODE: the facts that the Node, as JSON, does not have, as entries of a JSON object.
differences() {
  facts | while read -r key value; do
    name="\"tls-bootstrap/$key\":"
    case "$1" in *"$name\"$value\""*) continue ;; esac
    if [ -n "$value" ]; then
      printf '%s%s,' "$name" "$(json_string "$value")"
      continue
    fi
    case "$1" in *"$name"*) printf '%snull,' "$name" ;; esac
  done | sed 's/,$//'
}

# read_node: the Node, in one request. 'kubectl get node' asks the API server first which resources it has.
read_node() { as_node get --raw "/api/v1/nodes/$NODE_NAME" 2>&1; }

annotate() { patch_node "{\"metadata\":{\"annotations\":{$1}}}" 2>&1; }

report() {
  joined || return 0
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  node=$(patiently read_node) || fail "$NODE_NAME cannot read its Node, so it reports nothing: $node" "$HINT"
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
  report
}

# The first run, some minutes after a boot or a join, is for a serving certificate that is approved after the join. The delay spreads the
# nodes that boot together.
apply() {
  install_file 0644 "$UNITS/$UNIT.timer" <<END
[Unit]
Description=reports each hour what this Kubernetes node runs with

[Timer]
OnActiveSec=5min
OnUnitActiveSec=1h
RandomizedDelaySec=10min

[Install]
WantedBy=timers.target
END
  install_file 0644 "$UNITS/$UNIT.service" <<END
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
  systemctl enable --quiet --now "$UNIT.timer" # systemd loads both files for it
  report
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
