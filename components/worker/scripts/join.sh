#!/bin/sh
# join.sh < BOOTSTRAP-KUBECONFIG   makes this host a Ready node of its cluster and prints the receipt
# join.sh clean-up                 removes the token, and stops a kubelet without a certificate; run.sh calls it however the join has ended
#
# A raised generation takes the node out of the cluster first. The kubelet makes its own key and requests a certificate with the bootstrap token.
# A node that has joined before gets no new certificate; the script waits until it is Ready and prints its receipt. Both prove first that the API server restrains them (in-force.sh).
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"
# shellcheck source=/dev/null
. "$CONF/node.conf"
# shellcheck source=in-force.sh
. "$LIB/in-force.sh"
# shellcheck source=drain.sh
. "$LIB/drain.sh"

CERTIFICATE_SECONDS=180 # approval and signing; the controllers take (2N - 30) / 20 s for N nodes at once
LOOK_SECONDS=3 # how often to look for what keeps the certificate from coming
REFUSED_SECONDS=75 # the join policy refuses the name of a Ready node, and a node that has just stopped stays Ready while its heartbeats are awaited
READY_SECONDS=180
NETWORK_SECONDS=600 # to become Ready, while only the network plugin is missing: its pods pull large images
JOINED_GENERATION=$STATE/generation # the generation of the identity on this host

# clean_up: a kubelet without a certificate would go on trying with the token, so it is stopped. preflight.sh would take its kubelet.conf for that
# of another installation.
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

clock
started=$NOW_MS
install_file 0600 "$BOOTSTRAP_KUBECONFIG"

# The part before the dot: an identifier, not a secret.
token_id() { sed -n 's/^ *token: *"\{0,1\}\([a-z0-9]\{6\}\)\..*/\1/p' "$BOOTSTRAP_KUBECONFIG"; }

# wipe_old_identity: the settings ask for a new identity.
wipe_old_identity() {
  if joined && [ -e "$JOINED_GENERATION" ] && [ "$(cat "$JOINED_GENERATION")" != "$GENERATION" ]; then "$LIB/leave.sh" rejoin; fi
}

# whoami: the user that the API server of node.conf sees. kubelet.conf may name another cluster's server and CA.
whoami() { as_node --server "$API_SERVER" --certificate-authority "$CA" auth whoami -o 'jsonpath={.status.userInfo.username}' 2>&1; }

# refuse_foreign_identity: the API server of node.conf must accept the certificate.
refuse_foreign_identity() {
  joined || return 0
  fault=$(identity_fault)
  [ -z "$fault" ] || fail "$NODE_NAME cannot log in to $API_SERVER: $fault" "raise this worker's 'generation' to wipe its identity and join again"
  who=$(patiently whoami) || true
  [ "$who" = "system:node:$NODE_NAME" ] ||
    fail "$CLIENT_CERTIFICATE is not accepted as the certificate of $NODE_NAME by $API_SERVER, which answers: $who" \
      "make sure that this host reaches the API server; if it does, raise this worker's 'generation' to wipe its identity and join again"
}

# refuse_copy: the input names the worker that has this machine-id too, if there is one. A node that has joined already is not refused.
refuse_copy() {
  ! joined || return 0
  owner=$(sed -n "s/^# machine $(machine) is //p" "$BOOTSTRAP_KUBECONFIG")
  [ -z "$owner" ] ||
    fail "$NODE_NAME has the same machine-id as $owner: one image, copied after its first boot; the kubelet was not started" \
      "give $NODE_NAME a machine-id of its own, then run 'pulumi up' again: rm -f /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; reboot"
}

# may CREDENTIAL SUBRESOURCE: asks the API server whether CREDENTIAL may create certificate requests, or a subresource of them. Prints the answer.
# The approving controller asks the same about the subresource.
may() {
  post "$1" /apis/authorization.k8s.io/v1/selfsubjectaccessreviews \
    '{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":{"group":"certificates.k8s.io","resource":"certificatesigningrequests","subresource":"'"$2"'","verb":"create"}}}'
}

refused_token() { case "$1" in *Unauthorized* | *"must be logged in"*) return 0 ;; *) return 1 ;; esac; }

# fail_if_refused ANSWER: fails when the API server refuses the token, and still does seconds later. One that has just started refuses all
# tokens until it has loaded them.
fail_if_refused() {
  again=$1
  for _ in 1 2 3 4 5; do
    refused_token "$again" || return 0
    sleep 1
    again=$(may token '') || true
  done
  ! refused_token "$again" || fail "the API server refuses bootstrap token $(token_id) (401): it has expired or was revoked, or the API server does not take bootstrap tokens (--enable-bootstrap-token-auth)" \
    "mint a new token and join with it: $MINT_COMMAND"
}

# missing_binding ANSWER: the API server has said no. A failed request says nothing about bindings.
missing_binding() { case "$1" in *'"allowed":true'*) return 1 ;; *'"allowed":false'*) return 0 ;; *) return 1 ;; esac; }

fail_for_binding() { # WHAT CLUSTER-ROLE GROUP
  fail "$1: no ClusterRoleBinding in force binds ClusterRole $2 to $3" \
    "list the bindings (kubectl get clusterrolebindings -o wide), add the missing one, then run 'pulumi up' again"
}
TOKEN_GROUPS="a group of this token (auth-extra-groups of its Secret)"

check_token() {
  clock
  deadline=$((NOW + PATIENCE_SECONDS))
  until answer=$(may token ''); do
    case "$answer" in
      *x509* | *certificate*)
        fail "the API server at $API_SERVER does not prove itself with the given CA; the token was not sent: $answer" "set cluster.ca to the CA that has signed the API server's certificate" ;;
    esac
    fail_if_refused "$answer"
    ! over "$deadline" ||
      fail "the API server at $API_SERVER cannot be reached from $NODE_NAME: $answer" "check the network between them, then run 'pulumi up' again"
    sleep 2
  done
  ! missing_binding "$answer" ||
    fail_for_binding "bootstrap token $(token_id) may not request certificates" system:node-bootstrapper "$TOKEN_GROUPS"
}

# request_state: what has become of this node's certificate request.
request_state() {
  with_token get csr --sort-by=.metadata.creationTimestamp -o \
    'jsonpath={range .items[?(@.spec.username=="system:bootstrap:'"$(token_id)"'")]}{.metadata.name}{" "}{.status.conditions[*].type}{" "}{.status.certificate}{"\n"}{end}' 2>/dev/null |
    tail -n 1 | while read -r name state certificate; do
    case "$state" in
      '') echo "request $name is pending: not approved" ;;
      Approved) [ -n "$certificate" ] || echo "request $name is approved but not signed" ;;
      *) echo "request $name is $state" ;;
    esac
  done
}

# refusal: the API server's latest answer to a certificate request that it refused. The kubelet tries again at most every 32 s. Its line
# begins with Post when the request got no answer.
refusal() {
  journalctl -u kubelet --no-pager -o cat --since "40 seconds ago" 2>/dev/null |
    sed -n 's/.*cannot create certificate signing request: \(.*\)" logger=.*/\1/p' | sed 's/\\"/"/g' | grep -v '^Post ' | tail -n 1
}

request_hint() { # STATE
  case "$1" in
    '') echo "run 'journalctl -u kubelet' on this host to see the cause" ;;
    *"cannot be reached"*) echo "check the network between them, then run 'pulumi up' again" ;;
    *"not approved") echo "make sure that the controller manager runs, with its certificatesigningrequest-approving-controller, then run 'pulumi up' again" ;;
    *"not signed") echo "give the controller manager the signer's CA (--cluster-signing-cert-file and --cluster-signing-key-file), then run 'pulumi up' again" ;;
    *) echo "run 'kubectl describe csr' to see who has denied it" ;;
  esac
}

wait_for_certificate() {
  clock
  deadline=$((NOW + CERTIFICATE_SECONDS))
  look=$((NOW + LOOK_SECONDS)) # when to try the token again
  until [ -s "$CLIENT_CERTIFICATE" ]; do
    if over "$look"; then
      answer=$(may token nodeclient) || true
      fail_if_refused "$answer"
      ! missing_binding "$answer" ||
        fail_for_binding "requests by bootstrap token $(token_id) would not be approved" \
          system:certificates.k8s.io:certificatesigningrequests:nodeclient "$TOKEN_GROUPS"
      ! over $((deadline - CERTIFICATE_SECONDS + REFUSED_SECONDS)) || [ -z "$(refusal)" ] ||
        fail "the API server does not let $NODE_NAME request a certificate: $(refusal)" \
          "check the name; if it is right, wait until no node of that name is Ready, then run 'pulumi up' again"
      look=$((NOW + LOOK_SECONDS))
    fi
    if over "$deadline"; then
      unit_journal kubelet
      state=$(request_state)
      [ -n "$state" ] || answer=$(may token nodeclient) || state="the API server at $API_SERVER cannot be reached: $answer"
      fail "$NODE_NAME got no certificate within $CERTIFICATE_SECONDS s: ${state:-the kubelet made no certificate request}" "$(request_hint "$state")"
    fi
    sleep 0.05
  done
}

# check_renewal: without this binding the node works until its certificate expires.
check_renewal() {
  answer=$(patiently may node selfnodeclient) || true
  ! missing_binding "$answer" ||
    fail_for_binding "$NODE_NAME has joined, but its certificate would not be renewed" \
      system:certificates.k8s.io:certificatesigningrequests:selfnodeclient "group system:nodes"
}

wait_for_ready() {
  limit=$READY_SECONDS
  clock
  began=$NOW
  until ready_since "$1"; do
    if over $((began + limit)); then
      message=$(node_field '{.status.conditions[?(@.type=="Ready")].message}')
      case "$limit $message" in "$READY_SECONDS "*NetworkReady=false*)
        say "$NODE_NAME waits for its network plugin: $message"
        limit=$NETWORK_SECONDS
        continue
        ;;
      esac
      unit_journal kubelet
      fail "$NODE_NAME has its certificate but is not Ready after $limit s: ${message:-its Node cannot be read}" \
        "correct what the message and the lines above name, then run 'pulumi up' again"
    fi
    sleep 0.1
  done
}

wait_for_kube_proxy() {
  ! healthy kube-proxy || return 0
  [ "$KUBE_PROXY" != unit ] || unit_journal kube-proxy
  case "$KUBE_PROXY" in
    unit) see="run 'journalctl -u kube-proxy' on this host" ;;
    *) see="run 'kubectl -n kube-system get pods -l app.kubernetes.io/name=kube-proxy -o wide'; often the host cannot pull the image" ;;
  esac
  fail "$NODE_NAME is Ready, but its kube-proxy ($KUBE_PROXY) has not written its rules: Services cannot be reached there" \
    "$see; correct the cause, then run 'pulumi up' again"
}

receipt() {
  certificate=$(sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' "$CLIENT_CERTIFICATE") # only this block: the key is in the same file
  printf '{"node":"%s","certificate":%s,"ms":{"token":%d,"certificate":%d,"ready":%d,"total":%d}}\n' \
    "$NODE_NAME" "$(json_string "$certificate")" \
    $((token - started)) $((certified - token)) $((joined - certified)) $((joined - started))
}

wipe_old_identity
refuse_foreign_identity
refuse_copy
clock
token=$NOW_MS
if ! joined; then
  had_joined=no
  # A denial by the policy shows also that the token is accepted.
  if [ "$JOIN_POLICY" = off ] || ! policy_denies; then
    check_token
    [ "$JOIN_POLICY" = off ] || await_join_policy
  fi
  clock
  token=$NOW_MS
  printf '%s\n' "$GENERATION" | install_file 0644 "$JOINED_GENERATION"
  since=$(now_rfc3339)
  systemctl restart kubelet
  wait_for_certificate
  # Not before: after a power cut a kubelet without a certificate has no token. The kubelet runs, so systemd need not load its unit again, which
  # takes a moment in which it makes no control groups.
  systemctl enable --quiet --no-reload kubelet
else
  had_joined=yes
  since=0 # any heartbeat counts, because a kubelet that runs on reports rarely
  systemctl enable --quiet --now kubelet
  case "$(read_node "$CA" || true)" in *NotFound*)
    say "$NODE_NAME has no Node any more; its kubelet makes one when it starts"
    since=$(now_rfc3339)
    systemctl restart kubelet
    ;;
  esac
fi
clock
certified=$NOW_MS
prove_node_restriction "$had_joined"
# Before the node is Ready, because a network plugin may reach the API server only through its Service.
[ "$KUBE_PROXY" != unit ] || systemctl start kube-proxy
check_renewal
wait_for_ready "$since"
clock
joined=$NOW_MS
[ -z "$drained" ] || uncordon
[ "$KUBE_PROXY" = off ] || wait_for_kube_proxy
report
receipt
