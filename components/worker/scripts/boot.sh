#!/bin/sh
# boot.sh run NAME PREFIX       makes this machine of a scale group a Ready node; tries until it succeeds, and says on the console why it failed
# boot.sh attempt NAME PREFIX   tries once
#
# NAME is the node's name, in which {hostname} and {instance-id} stand for those of this machine. It must begin with PREFIX. The steps are those
# that Pulumi runs over SSH, with the same inputs. The user data has brought the inputs. In them @NODE_NAME@ and @NODE_ADDRESS@ stand for what
# is found here. A node that boots again is only made schedulable again.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh

BOOT=$CONF/boot        # the inputs of the steps; one has the token, so they are deleted when the node is Ready
BOOTED=$STATE/booted   # the name of the node, once it was Ready
FIRST_PAUSE=10
LONGEST_PAUSE=300
CLOUD_INIT_SECONDS=600 # how long cloud-init may take to end

# instance_id: what cloud-init knows from the cloud.
instance_id() {
  sed -n 's/^ *"instance[-_]id": *"\([^"]*\)".*/\1/p' /run/cloud-init/instance-data.json 2>/dev/null | head -n 1
}

# node_name NAME PREFIX: the name of this machine's node.
node_name() {
  case "$1" in *'{instance-id}'*)
    [ -n "$(instance_id)" ] || fail "the name of this node has the instance id, and cloud-init does not know it" "set nodeName of the scale group to a template without {instance-id}"
    ;;
  esac
  node=$(printf '%s\n' "$1" | sed "s|{hostname}|$(uname -n)|; s|{instance-id}|$(instance_id)|" | tr '[:upper:]' '[:lower:]')
  case "$node" in
    "$2") ;;
    *[!a-z0-9.-]*) ;;
    "$2"*) printf '%s\n' "$node" && return ;;
  esac
  fail "this machine would be node '$node', but the names of its scale group begin with '$2'" "name the machine so, or set nodeName of the scale group"
}

# node_address: the address from which this machine reaches the API server. preflight.sh makes sure that it is on an interface.
node_address() {
  host=$(printf '%s\n' "$API_SERVER" | sed 's|^https://||; s|/.*||; s|:[0-9]*$||; s|^\[||; s|\]$||')
  target=$(getent ahosts "$host" | awk 'NR == 1 { print $1 }')
  [ -n "$target" ] || fail "the name of the API server at $API_SERVER has no address" "check the DNS of this machine, and cluster.server"
  address=$(ip -o route get "$target" 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p')
  [ -n "$address" ] || fail "this machine has no route to the API server at $API_SERVER" "check the network between them"
  printf '%s\n' "$address"
}

# input STEP: the input of a step.
input() { sed "s|@NODE_NAME@|$name|g; s|@NODE_ADDRESS@|$address|g" "$BOOT/$1"; }

attempt() {
  # shellcheck source=/dev/null
  . "$BOOT/host.conf"
  name=$(node_name "$@")
  address=$(node_address)
  say "this machine becomes node $name with address $address"
  input host.conf | install_file 0644 "$CONF/host.conf"
  # The receipts are for Pulumi.
  "$LIB/preflight.sh" >/dev/null
  "$LIB/run.sh" host apply create </dev/null >/dev/null
  input kubelet | "$LIB/run.sh" kubelet apply >/dev/null
  [ ! -e "$BOOT/kube-proxy" ] || "$LIB/run.sh" kube-proxy apply <"$BOOT/kube-proxy" >/dev/null
  "$LIB/run.sh" join <"$BOOT/join" >/dev/null
}

# forget_user_data: deletes the copies of the token that cloud-init and Ignition keep. cloud-init fetches the user data again at each boot.
forget_user_data() {
  ! command -v cloud-init >/dev/null || timeout "$CLOUD_INIT_SECONDS" cloud-init status --wait >/dev/null 2>&1 || true
  for folder in /var/lib/cloud/instances/*; do
    rm -rf "$folder"/user-data.txt* "$folder"/cloud-config.txt "$folder"/obj.pkl "$folder"/scripts/runcmd
  done
  rm -f /run/cloud-init/instance-data-sensitive.json /run/cloud-init/combined-cloud-config.json /run/ignition.json
}

# again: a node that has left when its machine was powered off takes pods again.
again() {
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  # shellcheck source=drain.sh
  . "$LIB/drain.sh"
  uncordon
}

run() { # NAME PREFIX
  if [ ! -e "$BOOTED" ]; then
    pause=$FIRST_PAUSE
    until "$LIB/boot.sh" attempt "$@"; do
      say "tls-bootstrap: this machine has not joined its cluster; it tries again in $pause s"
      sleep "$pause"
      pause=$((pause * 2))
      [ "$pause" -le "$LONGEST_PAUSE" ] || pause=$LONGEST_PAUSE
    done
    rm -rf "$BOOT"
    # shellcheck source=/dev/null
    (. "$CONF/node.conf" && printf '%s\n' "$NODE_NAME") | install_file 0644 "$BOOTED"
    say "this machine is node $(cat "$BOOTED") and Ready"
  else
    again
  fi
  forget_user_data
  [ ! -e /etc/systemd/system/tls-bootstrap-leave.service ] || systemctl enable --quiet --now tls-bootstrap-leave.service
}

word=$1
shift
case "$word" in
  run) run "$@" ;;
  attempt) attempt "$@" ;;
esac
