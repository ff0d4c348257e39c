# shellcheck shell=sh
# Paths and functions that the steps share. The other scripts source this file.
# shellcheck disable=SC2034 # they use the variables

LIB=/opt/tls-bootstrap/scripts    # these scripts; not below /usr, which is read-only on some systems
CONF=/etc/tls-bootstrap           # the steps' settings: host.conf, node.conf
STATE=/var/lib/tls-bootstrap      # what the steps remember from one run to the next
RECORDS=$STATE/records             # how files were installed, for report.sh to find changes by hand
RUN=/run/tls-bootstrap            # lock, input and output of the step that runs; on a tmpfs
PATIENCE_SECONDS=90               # how long a request waits for an API server that does not answer

CA=/etc/kubernetes/pki/ca.crt
KUBELET_DIR=/var/lib/kubelet
KUBELET_KUBECONFIG=/etc/kubernetes/kubelet.conf
BOOTSTRAP_KUBECONFIG=/run/tls-bootstrap/bootstrap-kubelet.conf # the token; a power cut deletes it, because this is a tmpfs
CLIENT_CERTIFICATE=$KUBELET_DIR/pki/kubelet-client-current.pem
SERVING_CERTIFICATE=/etc/kubernetes/pki/kubelet-serving.crt # when the stack signs it
KUBELET_UNIT=/etc/systemd/system/kubelet.service
RUNTIME_IN_USE=$STATE/runtime-in-use # RUNTIME_RELEASES and RUNTIME_SETTINGS of the runtime that runs
KUBE_PROXY_KUBECONFIG=/etc/kubernetes/kube-proxy.conf

# --- output ---

# Progress goes to stderr. stdout is for the step's receipt.
say() { printf '%s\n' "$*" >&2; }

# fail MESSAGE [HINT]: ends the step with an error that says what is wrong and what to do.
fail() {
  say "tls-bootstrap: $1"
  [ $# -lt 2 ] || say "  what to do: $2"
  exit 1
}

# json_string TEXT: TEXT as a JSON string. Most texts have nothing to escape.
json_string() {
  case "$1" in
    *[!A-Za-z0-9\ .:/_-]*)
      printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g; s/\t/\\t/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }')"
      ;;
    *) printf '"%s"' "$1" ;;
  esac
}

# unit_journal UNIT: the last errors that UNIT has logged, for an error report.
unit_journal() {
  say "  last errors of $1 (journalctl -u $1):"
  journalctl -u "$1" --no-pager -o cat -n 400 2>/dev/null | grep -E '^[EF][0-9]|[Ee]rror|[Ff]ailed|level=fatal|panic' | tail -n 8 | sed 's/^/    /' >&2 || true
}

now_rfc3339() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# clock: sets $NOW and $NOW_MS: seconds and milliseconds since this host has started. That takes no process, and no change of the time of day
# moves them.
clock() {
  read -r NOW_MS _ </proc/uptime
  NOW=${NOW_MS%.*}
  NOW_MS=$NOW${NOW_MS#*.}0
}

# took MS: milliseconds since $NOW_MS was MS.
took() { clock && echo $((NOW_MS - $1)); }

# over DEADLINE: $NOW has reached it.
over() { clock && [ "$NOW" -ge "$1" ]; }

# --- the host ---

# hold_lock SECONDS: waits until no other run changes this host. The lock is that of the open file 9.
hold_lock() {
  flock -n 9 && return 0
  say "another run of tls-bootstrap is busy on this host; waiting for it"
  flock -w "$1" 9 || fail "another run still holds $RUN/lock" "find it on this host: systemctl list-units 'tls-bootstrap-*'"
}

architecture() {
  case "$(uname -m)" in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) echo unsupported ;;
  esac
}

# machine: identifies this machine. A hash, because machine-id(5) asks not to send the id itself over a network.
machine() { printf '%.32s\n' "$(sha256 /etc/machine-id)"; }

# sha256 FILE: openssl uses the processor's instructions for it. The sha256sum of Debian and Ubuntu does not, and takes four times as long.
sha256() {
  sum=$(openssl dgst -sha256 -r "$1" 2>/dev/null) || sum=$(sha256sum "$1")
  echo "${sum%% *}"
}

# fetch URL: prints the answer, never through a proxy.
fetch() {
  if command -v curl >/dev/null; then curl --silent --fail --noproxy '*' --max-time 5 "$1"; else wget --quiet --no-proxy --timeout=5 --tries=1 -O - "$1"; fi
}

# --- versions ---

# kubelet_version ROOT: the version of the kubelet that the unit below ROOT starts; nothing when there is no unit.
kubelet_version() { [ ! -e "$1$KUBELET_UNIT" ] || sed -n 's|^ExecStart=/opt/kubernetes/v\([0-9.]*\)/.*|\1|p' "$1$KUBELET_UNIT"; }

# minor VERSION: 37 of 1.37.2.
minor() {
  minor=${1#*.}
  echo "${minor%%.*}"
}

# --- files ---

# install_file MODE PATH < CONTENT: replaces PATH in one step. The syncs keep the file whole also after a power cut.
install_file() {
  write_beside "$1" "$2"
  sync "$2.tls-bootstrap"
  take_place "$2"
  sync "${2%/*}"
}

# install_tree ROOT FILE: replaces each file that FILE names, as "MODE PATH", by the one below ROOT. All are written before the first one is replaced:
# a sync of all files takes less time than a sync for each. No path has blanks.
install_tree() {
  beside='' folders=''
  while read -r mode path; do
    write_beside "$mode" "$path" <"$1$path"
    beside="$beside $path.tls-bootstrap"
    folders="$folders ${path%/*}"
  done <"$2"
  # shellcheck disable=SC2086 # a list
  sync $beside
  while read -r mode path; do take_place "$path"; done <"$2"
  # shellcheck disable=SC2086 # a list
  sync $folders
}

write_beside() { # MODE PATH < CONTENT
  [ -d "${2%/*}" ] || mkdir -p "${2%/*}"
  { [ ! -e "$2.tls-bootstrap" ] && [ ! -L "$2.tls-bootstrap" ]; } || rm -f "$2.tls-bootstrap"
  case "$1" in
    0644) (umask 022 && exec cat >"$2.tls-bootstrap") ;;
    *) (umask 077 && exec cat >"$2.tls-bootstrap") ;;
  esac
  case "$1" in 0600 | 0644) ;; *) chmod "$1" "$2.tls-bootstrap" ;; esac
}

take_place() { # PATH
  mv -fT "$1.tls-bootstrap" "$1"
  relabel "$1"
}

# link TARGET PATH: points PATH at TARGET in one step.
link() {
  [ -d "${2%/*}" ] || mkdir -p "${2%/*}"
  ln -sfT "$1" "$2.tls-bootstrap"
  mv -fT "$2.tls-bootstrap" "$2"
}

# save_previous PATH: copies the file at PATH into the folder $PREVIOUS, if there is one.
save_previous() {
  [ -e "$1" ] || return 0
  (umask 077 && mkdir -p "$PREVIOUS${1%/*}" && cp -p "$1" "$PREVIOUS$1")
  sync "$PREVIOUS$1"
}

# restore_previous PATH...: puts the saved files back, and deletes the files that did not exist before.
restore_previous() {
  for path in "$@"; do
    if [ -e "$PREVIOUS$path" ]; then
      mode=$(stat -c '0%a' "$PREVIOUS$path")
      install_file "$mode" "$path" <"$PREVIOUS$path"
    else
      rm -f "$path"
    fi
  done
}

# relabel PATH...: gives files the SELinux types of their paths. Does nothing where SELinux is off.
relabel() { ! command -v restorecon >/dev/null || restorecon -RF "$@" 2>/dev/null || true; }

# delete_folders FOLDER...: a mount point stays, empty.
delete_folders() {
  for folder in "$@"; do
    [ ! -d "$folder" ] || find "$folder" -xdev -mindepth 1 -delete
    rmdir "$folder" 2>/dev/null || true
  done
}

# existing < PATHS: those that are files, in one line. No path has blanks.
existing() { while read -r path; do [ ! -f "$path" ] || printf '%s ' "$path"; done; }

# fingerprints < PATHS: permissions, SHA-256 and path of each file that exists.
fingerprints() {
  paths=$(existing)
  # shellcheck disable=SC2086 # a list
  [ -z "$paths" ] || { stat -c '0%a' $paths && sha256sum $paths; } | awk 'NF == 1 { mode[++modes] = $1 } NF > 1 { print mode[++sums], $0 }'
}

# record NAME < PATHS: remembers these files as they are now.
record() { fingerprints | install_file 0600 "$RECORDS/$1"; }

recorded() { (cd "$RECORDS" && cat "$@") 2>/dev/null || true; } # NAME...

# recorded_paths NAME...: paths of the remembered files.
recorded_paths() { recorded "$@" | awk '{ print $3 }'; }

# changed_since NAME...: paths of the remembered files that are different now, a line each.
changed_since() {
  [ -n "$(recorded "$@")" ] || return 0
  {
    recorded_paths "$@" | fingerprints
    echo
    recorded "$@"
  } | awk '!NF { remembered = 1; next } remembered { if (!($0 in now)) print $3; next } { now[$0] }'
}

# mounts_below FOLDER: mount points below FOLDER, deepest first, as /proc/mounts writes them.
mounts_below() { awk -v folder="$1/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | sort -r; }

# unmount_below FOLDER: unmounts what it can.
unmount_below() { mounts_below "$1" | while read -r mounted; do umount "$mounted" 2>/dev/null || true; done; }

# wipe_kubelet KEPT: deletes the kubelet's credentials, then everything else in its folder except the file KEPT. Deleting through a mounted
# volume would delete the data of the pod, so the folder stays as it is while a volume is mounted there.
wipe_kubelet() {
  rm -rf "$KUBELET_KUBECONFIG" "$KUBELET_DIR/pki"
  unmount_below "$KUBELET_DIR"
  mounted=$(mounts_below "$KUBELET_DIR")
  [ -z "$mounted" ] || fail "volumes are still mounted below $KUBELET_DIR, so nothing there was deleted:
$(printf '%s' "$mounted" | sed 's/^/    /')" "stop the processes that use them ('fuser -vm PATH' lists them), unmount them, then run 'pulumi up' again"
  [ ! -d "$KUBELET_DIR" ] || find "$KUBELET_DIR" -mindepth 1 -maxdepth 1 ! -name "$1" -exec rm -rf --one-file-system {} +
}

# --- units ---

# stop_unit UNIT: stops UNIT and keeps it from starting at boot. A kubelet that is stopped right after its start exits with an error. The reset
# removes UNIT from the list of failed units, which hosts are monitored by.
stop_unit() {
  systemctl disable --quiet --now "$1" 2>/dev/null || true
  systemctl reset-failed "$1" 2>/dev/null || true
}

# reload_changed UNIT...: makes systemd read files of these units that have changed. It reads new files by itself. A reload takes it a tenth of a second,
# in which a kubelet makes no control groups.
reload_changed() { case "$(systemctl show -P NeedDaemonReload "$@")" in *yes*) systemctl daemon-reload ;; esac; }

# healthy UNIT [SINCE]: waits up to 90 s until UNIT works after its restart. A kubelet works when it has reported its Node Ready since SINCE
# (RFC 3339).
healthy() {
  clock
  deadline=$((NOW + 90))
  restarts=$(systemctl show -P NRestarts "$1")
  until over "$deadline"; do
    case "$1" in
      kubelet) ! ready_since "$2" || return 0 ;;
      kube-proxy) ! kube_proxy_works || return 0 ;;
    esac
    [ "$(systemctl show -P NRestarts "$1")" -lt $((restarts + 2)) ] || return 1 # it crashes
    sleep 0.3
  done
  return 1
}

# kube_proxy_works: kube-proxy has written its rules since it started. Its health check passes before that.
kube_proxy_works() {
  fetch http://localhost:10256/healthz >/dev/null &&
    fetch http://localhost:10249/metrics | grep -q '^kubeproxy_sync_proxy_rules_last_timestamp_seconds[^ ]* [1-9]'
}

# --- the node's identity ---

# joined: the kubelet of this host has got a certificate, whatever has become of it since.
joined() { [ -e "$CLIENT_CERTIFICATE" ] || [ -L "$CLIENT_CERTIFICATE" ]; }

# certificate_times FILE: when the certificate begins and when it expires, in seconds since 1970, a line each; nothing when it cannot be read.
# They are the first two UTCTimes of a certificate (RFC 5280, 4.1.2.5). A host need not have openssl.
certificate_times() {
  sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/{/-----/!p}' "$1" 2>/dev/null | base64 -d 2>/dev/null |
    od -An -v -tx1 | tr -d ' \n' | grep -o '170d\(3[0-9]\)\{12\}5a' |
    sed 's/^170d//; s/5a$//; s/3\(.\)/\1/g; s/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/20\1-\2-\3 \4:\5:\6/; 2q' | date -u -f - +%s 2>/dev/null || true
}

# certificate_end: when the node's certificate expires.
certificate_end() { certificate_times "$CLIENT_CERTIFICATE" | sed -n 2p; }

# identity_fault: why no API server can accept the certificate of this node; nothing when one may. kubectl checks a certificate that stands inside a
# kubeconfig before it connects, to a port where nobody listens here. It would read one in a file of its own only while it connects.
identity_fault() {
  damage=$({
    "$KUBECTL" --kubeconfig "$KUBELET_KUBECONFIG" config view --raw --flatten |
      "$KUBECTL" --kubeconfig /dev/stdin --server https://127.0.0.1:1 --request-timeout 10s get --raw /
  } 2>&1 | grep -v '127.0.0.1:1 was refused' | sed 's/^error: //' | head -n 1)
  end=$(certificate_end)
  if [ -n "$damage" ]; then
    echo "its certificate in $CLIENT_CERTIFICATE is damaged ($damage)"
  elif [ -n "$end" ] && [ "$end" -le "$(date +%s)" ]; then
    echo "its certificate has expired ($(date -u -d "@$end" +%Y-%m-%dT%H:%M:%SZ))"
  fi
}

# --- the node; needs node.conf ---

# Marks our cordon, so that only this cordon is lifted later and not an administrator's.
CORDON_MARK=tls-bootstrap/drained

# as_node ARG...: kubectl with the node's own certificate. It would keep its cache in /.kube: a step has no home folder.
as_node() { "$KUBECTL" --kubeconfig "$KUBELET_KUBECONFIG" --cache-dir "$STATE/kubectl" --request-timeout 10s "$@"; }

# with_token ARG...: kubectl with the bootstrap token.
with_token() { "$KUBECTL" --kubeconfig "$BOOTSTRAP_KUBECONFIG" --cache-dir "$STATE/kubectl" --request-timeout 10s "$@"; }

# post CREDENTIAL PATH BODY: prints the answer of $API_SERVER to a request that creates BODY. CREDENTIAL is token or node. curl takes a sixth of
# kubectl's processor time. A refusal has the form of kubectl's. An API server refuses a credential before it has read BODY, and with HTTP/2 curl
# then loses the answer.
post() {
  if ! command -v curl >/dev/null; then
    case "$1" in token) client=with_token ;; node) client=as_node ;; esac
    printf '%s' "$3" | "$client" create --raw "$2" -f - 2>&1
    return
  fi
  answer=$(credential "$1" | curl --config - --http1.1 --silent --show-error --noproxy '*' --max-time 10 --cacert "$CA" --user-agent tls-bootstrap \
    --header 'Content-Type: application/json' --data "$3" --write-out '%{http_code}' "$API_SERVER$2" 2>&1) || {
    printf '%s' "${answer%???}"
    return 1
  }
  code=${answer#"${answer%???}"}
  answer=${answer%???}
  case "$code" in 2*) printf '%s' "$answer" && return ;; esac
  printf '%s' "$answer" | sed 's/.*"message":"\(.*\)","reason":"\([A-Za-z]*\)".*/Error from server (\2): \1/; s/\\"/"/g'
  return 1
}

# credential NAME: a config for curl. A secret must not be among its arguments.
credential() {
  case "$1" in
    token) printf 'header = "Authorization: Bearer %s"\n' "$(sed -n 's/^ *token: *"\{0,1\}\([a-z0-9.]*\).*/\1/p' "$BOOTSTRAP_KUBECONFIG")" ;;
    node) printf 'cert = "%s"\n' "$CLIENT_CERTIFICATE" ;;
  esac
}

# patiently REQUEST...: repeats a request for up to PATIENCE_SECONDS, until it succeeds. Prints the last answer. An API server that has just
# started also refuses what it allows a moment later. An answer that does not change ends the wait.
patiently() {
  clock
  patience=$((NOW + PATIENCE_SECONDS))
  until answer=$("$@"); do
    case "$answer" in *Unauthorized* | *"must be logged in"* | *NotFound* | *x509* | *'SSL certificate'*) patience=0 ;; esac
    if over "$patience"; then
      printf '%s\n' "$answer"
      return 1
    fi
    sleep 1
  done
  printf '%s\n' "$answer"
}

# patch_node PATCH: with a field manager of its own. Pulumi takes over the fields of managers that are called kubectl, and drops them.
patch_node() { as_node patch node "$NODE_NAME" --type merge --field-manager tls-bootstrap-node --patch "$1"; }

# read_node CA-FILE: reads this host's Node from $API_SERVER. kubelet.conf may name another server and CA.
read_node() { as_node --server "$API_SERVER" --certificate-authority "$1" get node "$NODE_NAME" -o name 2>&1; }

# node_field TEMPLATE: what a JSONPath template selects from this host's Node; empty when the Node cannot be read.
node_field() { as_node get node "$NODE_NAME" -o "jsonpath=$1" 2>/dev/null || true; }

# report: tells the cluster what this node runs with. The step goes on when that fails, since the timer tries again.
report() { "$LIB/report.sh" apply >&2 || true; }

# ready_since RFC3339: the kubelet has reported its Node Ready since then. A Node stays Ready for a while after its kubelet has stopped, so
# an older heartbeat does not count. Sets $drained when the Node has our cordon.
ready_since() {
  read -r ready heartbeat drained <<END
$(node_field "{range .status.conditions[?(@.type==\"Ready\")]}{.status} {.lastHeartbeatTime} {end}{.metadata.annotations.$CORDON_MARK}")
END
  [ "$ready" = True ] && printf '%s\n' "$1" "$heartbeat" | LC_ALL=C sort -C
}
