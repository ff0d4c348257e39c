#!/bin/sh
# join.sh < BOOTSTRAP-KUBECONFIG   makes this host a Ready node of its cluster and prints the receipt
# join.sh clean-up                 after that has ended, however it did
#
# The kubelet makes its own key here and asks for a certificate with the bootstrap token; the token is removed as soon as the
# node is Ready. On a node that has joined before, nothing is done but the receipt.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/node.conf"

CERTIFICATE_SECONDS=180 # approval and signing; the controllers take (2N - 30) / 20 s for N nodes at once
REFUSED_SECONDS=75 # a policy refuses a name that was Ready a moment ago for as long as heartbeats may be missed
READY_SECONDS=180

# Without a certificate no kubelet stays that would go on trying with a token, and with one the token has done its work. A kubelet.conf alone
# proves nothing, and would be mistaken for another installation's.
clean_up() {
  if [ ! -e "$CLIENT_CERTIFICATE" ]; then
    stop_unit kubelet
    rm -f "$KUBELET_KUBECONFIG"
  fi
  rm -f "$BOOTSTRAP_KUBECONFIG"
}

if [ "${1:-}" = clean-up ]; then
  clean_up
  exit
fi

started=$(now_ms)
bootstrap=$(mktemp "$RUN/bootstrap.XXXXXX") # 0600, on a tmpfs
trap 'rm -f "$bootstrap"' EXIT
cat >"$bootstrap"

with_token() { "$KUBECTL" --kubeconfig "$bootstrap" --request-timeout 10s "$@"; }

# The part before the dot: an identifier, not a secret.
token_id() { sed -n 's/^ *token: *"\{0,1\}\([a-z0-9]\{6\}\)\..*/\1/p' "$bootstrap"; }

# A certificate is ours when the API server that we are told of, verified with the CA that we were given, takes it for this node. Those in kubelet.conf may be
# another cluster's.
refuse_foreign_identity() {
  [ -e "$CLIENT_CERTIFICATE" ] || return 0
  who=$(as_node --server "$API_SERVER" --certificate-authority "$CA" auth whoami -o 'jsonpath={.status.userInfo.username}' 2>&1) || true
  [ "$who" = "system:node:$NODE_NAME" ] ||
    fail "$CLIENT_CERTIFICATE is not accepted as the certificate of $NODE_NAME by $API_SERVER, which answers: $who" \
      "if the API server can be reached from this host, raise this worker's 'generation' to wipe its identity and join anew"
}

# The program says whose machine this was when it was looked at. A node that has joined stays.
refuse_copy() {
  [ ! -e "$CLIENT_CERTIFICATE" ] || return 0
  owner=$(sed -n "s/^# machine $(machine) is //p" "$bootstrap")
  [ -z "$owner" ] ||
    fail "$NODE_NAME has the same machine-id as $owner: one image, copied after its first boot; the kubelet was not started" \
      "give it one of its own, then run the update again; on $NODE_NAME: rm -f /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; reboot"
}

# may CLIENT SUBRESOURCE: what the API server's authorizer says to the creation of certificate requests, or of a subresource of theirs,
# by which the approving controller decides. Prints its answer.
may() {
  printf '{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":{"group":"certificates.k8s.io","resource":"certificatesigningrequests","subresource":"%s","verb":"create"}}}' "$2" |
    "$1" create --raw /apis/authorization.k8s.io/v1/selfsubjectaccessreviews -f - 2>&1
}

refused_token() { case "$1" in *Unauthorized* | *"must be logged in"*) return 0 ;; *) return 1 ;; esac; }

# The two lines by which a refused token is reported.
token_problem() { echo "the API server refuses bootstrap token $(token_id) (401): it has expired or was revoked, or the API server does not take bootstrap tokens (--enable-bootstrap-token-auth)"; }
token_hint() { echo "mint a new one and go on with: $MINT_COMMAND"; }

# missing_binding ANSWER: not when allowed, nor when there was no answer: only a plain no counts.
missing_binding() { case "$1" in *'"allowed":true'*) return 1 ;; *'"allowed":false'*) return 0 ;; *) return 1 ;; esac; }

# binding_problem WHAT CLUSTER-ROLE GROUP
binding_problem() { echo "$1: no ClusterRoleBinding in force binds ClusterRole $2 to $3"; }
BINDING_HINT="mend the bindings (kubectl get clusterrolebindings -o wide) and run the update again"
TOKEN_GROUPS="a group of this token (auth-extra-groups of its Secret)"

check_token() {
  attempts=0
  until answer=$(may with_token ''); do
    case "$answer" in
      *x509* | *certificate*)
        fail "the API server at $API_SERVER does not prove itself with the given CA; the token was not sent: $answer" "check cluster.ca" ;;
    esac
    ! refused_token "$answer" || fail "$(token_problem)" "$(token_hint)"
    attempts=$((attempts + 1))
    [ "$attempts" -lt 20 ] || fail "the API server at $API_SERVER cannot be reached from $NODE_NAME: $answer" "check the network between them"
    sleep 2
  done
  ! missing_binding "$answer" ||
    fail "$(binding_problem "bootstrap token $(token_id) may not ask for certificates" system:node-bootstrapper "$TOKEN_GROUPS")" "$BINDING_HINT"
}

# request_state: where the certificate request of this node stands, in the cluster's words.
request_state() {
  with_token get csr --sort-by=.metadata.creationTimestamp -o \
    'jsonpath={range .items[?(@.spec.username=="system:bootstrap:'"$(token_id)"'")]}{.metadata.name}{" "}{.status.conditions[*].type}{" "}{.status.certificate}{"\n"}{end}' 2>/dev/null |
    tail -n 1 | while read -r name state certificate; do
    case "$state" in
      '') echo "request $name is pending: not approved. Is the approving ClusterRoleBinding there, and the controller manager running?" ;;
      Approved) [ -n "$certificate" ] || echo "request $name is approved but not signed. Is the controller manager running with the signer's CA?" ;;
      *) echo "request $name is $state" ;;
    esac
  done
}

# refusal: why the kubelet cannot even make its certificate request, in the API server's words; it tries every 32 s at the latest.
refusal() {
  journalctl -u kubelet --no-pager -o cat --since "40 seconds ago" 2>/dev/null |
    sed -n 's/.*cannot create certificate signing request: \(.*\)" logger=.*/\1/p' | sed 's/\\"/"/g' | tail -n 1
}

wait_for_certificate() {
  deadline=$(($(date +%s) + CERTIFICATE_SECONDS))
  look=0 # when the token is tried again
  until [ -s "$CLIENT_CERTIFICATE" ]; do
    if [ "$(date +%s)" -ge "$look" ]; then
      answer=$(may with_token nodeclient) || true
      ! refused_token "$answer" || fail "$(token_problem)" "$(token_hint)"
      ! missing_binding "$answer" ||
        fail "$(binding_problem "requests by bootstrap token $(token_id) would not be approved" \
          system:certificates.k8s.io:certificatesigningrequests:nodeclient "$TOKEN_GROUPS")" "$BINDING_HINT"
      [ "$(date +%s)" -lt $((deadline - CERTIFICATE_SECONDS + REFUSED_SECONDS)) ] || [ -z "$(refusal)" ] ||
        fail "the API server does not let $NODE_NAME ask for a certificate: $(refusal)" \
          "if the name is right, wait until no node of that name is Ready, and run the update again"
      look=$(($(date +%s) + 5))
    fi
    if [ "$(date +%s)" -ge "$deadline" ]; then
      unit_journal kubelet
      state=$(request_state)
      fail "$NODE_NAME got no certificate within $CERTIFICATE_SECONDS s: ${state:-it made no certificate request. Is the node-bootstrapper ClusterRoleBinding there?}"
    fi
    sleep 0.05
  done
}

# The kubelet has what it needs for today; without this one it drops out when its certificate ends.
check_renewal() {
  answer=$(may as_node selfnodeclient) || true
  ! missing_binding "$answer" ||
    fail "$(binding_problem "$NODE_NAME has joined, but its certificate would not be renewed" \
      system:certificates.k8s.io:certificatesigningrequests:selfnodeclient "group system:nodes")" "$BINDING_HINT"
}

wait_for_ready() {
  deadline=$(($(date +%s) + READY_SECONDS))
  until ready_since "$1"; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
      message=$(node_field '{.status.conditions[?(@.type=="Ready")].message}')
      unit_journal kubelet
      fail "$NODE_NAME has its certificate but is not Ready after $READY_SECONDS s: ${message:-its Node cannot be read}" "mend the cause and run the update again"
    fi
    sleep 0.1
  done
}

# A node that left and comes back takes pods again, unless an administrator had cordoned it.
uncordon() {
  [ -n "$(node_field "{.metadata.annotations.$DRAINED}")" ] || return 0
  as_node patch node "$NODE_NAME" --type merge --patch '{"metadata":{"annotations":{"'"$DRAINED"'":null}},"spec":{"unschedulable":null}}' >/dev/null
}

wait_for_kube_proxy() {
  ! healthy kube-proxy || return 0
  [ "$KUBE_PROXY" != unit ] || unit_journal kube-proxy
  fail "$NODE_NAME is Ready, but its kube-proxy ($KUBE_PROXY) has not written its rules: Services cannot be reached there" \
    "$(kube_proxy_hint); then run the update again"
}

kube_proxy_hint() {
  case "$KUBE_PROXY" in
    unit) echo "see 'journalctl -u kube-proxy' on this host" ;;
    *) echo "see 'kubectl -n kube-system get pods -l app.kubernetes.io/name=kube-proxy -o wide': can this host pull the image?" ;;
  esac
}

receipt() {
  certificate=$(sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' "$CLIENT_CERTIFICATE") # only this block: the key is in the same file
  printf '{"node":"%s","certificate":%s,"ms":{"token":%d,"certificate":%d,"ready":%d,"total":%d}}\n' \
    "$NODE_NAME" "$(json_string "$certificate")" \
    $((token - started)) $((certified - token)) $((joined - certified)) $((joined - started))
}

refuse_foreign_identity
refuse_copy
token=$(now_ms)
if [ ! -e "$CLIENT_CERTIFICATE" ]; then
  check_token
  token=$(now_ms)
  install_file 0600 "$BOOTSTRAP_KUBECONFIG" <"$bootstrap"
  since=$(now_rfc3339)
  systemctl enable --quiet kubelet
  systemctl restart kubelet
  wait_for_certificate
else
  since=0 # whenever it was: a kubelet that runs undisturbed reports rarely
  systemctl enable --quiet --now kubelet
fi
certified=$(now_ms)
# Before the node is Ready: network plugins reach the API server by its Service.
[ "$KUBE_PROXY" != unit ] || systemctl start kube-proxy
check_renewal
wait_for_ready "$since"
joined=$(now_ms)
uncordon
[ "$KUBE_PROXY" = off ] || wait_for_kube_proxy
receipt
