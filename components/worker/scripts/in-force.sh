# shellcheck shell=sh
# Proofs that the API servers enforce what restrains a token and a node. Each is a dry run of a request that must be denied. join.sh includes this.

POLICY_SECONDS=30 # an API server loads a new policy within seconds

# A kubelet's certificate request for a node that no inventory has: nobody can own a name below .invalid (RFC 2606). It is well formed, so that
# the policies of other stacks let it pass. Nobody has the key, which was deleted after it had signed. As the API takes it: PEM in base64.
FOREIGN_NAME=0.not-a-worker.tls-bootstrap.invalid
FOREIGN_REQUEST=LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQkREQ0J0QUlCQURCU01SVXdFd1lEVlFRS0V3eHplWE4wWlcwNmJtOWtaWE14T1RBM0JnTlZCQU1UTUhONQpjM1JsYlRwdWIyUmxPakF1Ym05MExXRXRkMjl5YTJWeUxuUnNjeTFpYjI5MGMzUnlZWEF1YVc1MllXeHBaREJaCk1CTUdCeXFHU000OUFnRUdDQ3FHU000OUF3RUhBMElBQk13blhoVVcrTzlnSGVmTlJBODNaRWZrTkt2SjdUMmoKdmdXWmdSVlZBZVFmamwrUUU3d0R5Rk9VNksrTHFuYjIzN01zTDA2NVNiblhwaEJtTElRbFVSaWdBREFLQmdncQpoa2pPUFFRREFnTkhBREJFQWlBUTdKTFk5YkxVaFU0NHVXUTdBdnR0b0JlQWNRZXc0VE9vdVBLY1VmRDNBQUlnCkJmbDM5NWx6MkF2RWFOam9LYk55NHkzQlA4OWZnWnF6aHgrNEdFTWt4eE09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=

request_foreign_name() {
  post token '/apis/certificates.k8s.io/v1/certificatesigningrequests?dryRun=All' \
    '{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"generateName":"tls-bootstrap-"},"spec":{"signerName":"kubernetes.io/kube-apiserver-client-kubelet","usages":["digital signature","client auth"],"request":"'"$FOREIGN_REQUEST"'"}}'
}

create_foreign_node() { post node '/api/v1/nodes?dryRun=All' '{"apiVersion":"v1","kind":"Node","metadata":{"name":"not-a-worker"}}'; }

# each_denies PATTERN COMMAND: three connections deny COMMAND with a line that has PATTERN. Otherwise $other is another answer. The connections
# are open at the same time: a load balancer spreads them over up to three API servers, whether it takes turns or counts connections.
each_denies() {
  answers=$(for _ in 1 2 3; do "$2" 2>&1 & done; wait)
  other=$(printf '%s\n' "$answers" | grep -v "$1" | head -n 1)
  [ "$(printf '%s\n' "$answers" | grep -c "$1")" = 3 ]
}

# allows KIND: one of the answers has the object, as it would be stored.
allows() { case "$answers" in *'"kind":"'"$1"'"'*) return 0 ;; *) return 1 ;; esac; }

# policy_denies: the join policy limits this token to the names of its pool.
policy_denies() { each_denies "ValidatingAdmissionPolicy '$JOIN_POLICY' .*denied request" request_foreign_name; }

# await_join_policy: waits until the policy is loaded.
await_join_policy() {
  clock
  answered_by=$((NOW + PATIENCE_SECONDS)) loaded_by=
  until policy_denies; do
    fail_if_refused "$answers"
    deadline=$answered_by
    clock
    ! allows CertificateSigningRequest || deadline=${loaded_by:=$((NOW + POLICY_SECONDS))}
    if over "$deadline"; then
      hint="the policy and its binding must exist, and the binding must deny: kubectl get validatingadmissionpolicybinding $JOIN_POLICY -o yaml; 'pulumi up --refresh' restores both"
      ! allows CertificateSigningRequest ||
        fail "the policy $JOIN_POLICY is not in force: bootstrap token $(token_id) may request a certificate for any node name; the kubelet was not started" "$hint"
      fail "the policy $JOIN_POLICY did not deny a certificate for node $FOREIGN_NAME; the kubelet was not started; the API server answers: $other" "$hint"
    fi
    sleep 0.5
  done
}

# prove_node_restriction HAD-JOINED: the node may change no other Node. Without the proof a new node leaves again. A node that had joined before
# keeps running: its pods serve users, and a flag that an administrator has lost must not end a whole fleet.
prove_node_restriction() {
  clock
  deadline=$((NOW + PATIENCE_SECONDS))
  until each_denies 'is not allowed to modify node' create_foreign_node; do
    if ! allows Node && ! over "$deadline"; then
      sleep 0.5
      continue
    fi
    outcome="it had joined before and keeps running"
    if [ "$1" = no ]; then
      "$LIB/leave.sh" at-once || true
      outcome="it has left the cluster again"
    fi
    hint="start each API server with --enable-admission-plugins=NodeRestriction, then run 'pulumi up' again"
    ! allows Node || fail "NodeRestriction is off: $NODE_NAME may change other Nodes; $outcome" "$hint"
    fail "NodeRestriction did not deny $NODE_NAME another Node; $outcome; the API server answers: $other" "$hint"
  done
}
