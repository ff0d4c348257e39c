#!/bin/sh
# serving.sh request RUN           prints a request for the kubelet's serving certificate; makes the key when there is none. Pulumi signs a new
#                                  request when it creates or replaces step host (RUN is create), but not when it updates the step (update)
# serving.sh apply < CERTIFICATE   installs the signed certificate, if it fits the key
# serving.sh remove                removes both
#
# The key never leaves this host.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"

KEY=/etc/kubernetes/pki/kubelet-serving.key
CERTIFICATE=$SERVING_CERTIFICATE
# For a key and a certificate that do not fit.
HINT="get a new key and certificate: $REPLACE_COMMAND"

# fits CERTIFICATE: it is for the key of this host.
fits() {
  public=$(openssl pkey -in "$KEY" -pubout 2>/dev/null) && [ "$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null)" = "$public" ]
}

make_key() {
  key=$(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)
  printf '%s\n' "$key" | install_file 0600 "$KEY"
}

request() { # create | update
  if [ -e "$CERTIFICATE" ] && ! fits "$CERTIFICATE"; then
    [ "$1" = create ] || fail "$KEY is gone or is not the key of $CERTIFICATE" "$HINT"
    make_key
  elif [ ! -e "$KEY" ] || ! openssl pkey -in "$KEY" -noout 2>/dev/null; then
    make_key
  fi
  # With a configuration of its own, because the host's openssl.cnf may add extensions.
  openssl req -new -sha256 -key "$KEY" -config /dev/stdin <<END
[req]
prompt = no
distinguished_name = subject
req_extensions = extensions
[subject]
O = system:nodes
CN = system:node:$NODE_NAME
[extensions]
subjectAltName = $SERVING_NAMES
END
}

# outdated: the kubelet runs with an earlier certificate. Kubelets up to 1.35 go on with the certificate that they started with for clients that
# call them by address (kubernetes/kubernetes#133001).
outdated() {
  [ "$(systemctl is-active kubelet)" = active ] && grep -qsF "$CERTIFICATE" "$KUBELET_DIR/config.yaml" &&
    [ "$(stat -c %Y "$CERTIFICATE")" -ge "$(date -d "$(systemctl show -P ActiveEnterTimestamp kubelet)" +%s)" ]
}

restart_kubelet() {
  since=$(now_rfc3339)
  systemctl restart kubelet
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  healthy kubelet "$since" && return 0
  unit_journal kubelet
  fail "the kubelet of $NODE_NAME does not become healthy after the restart for its new serving certificate" \
    "run 'journalctl -u kubelet' on this host to see the cause"
}

apply() {
  clock
  started=$NOW_MS
  new=$(mktemp "$RUN/certificate.XXXXXX")
  trap 'rm -f "$new"' EXIT
  cat >"$new"
  fits "$new" || fail "the serving certificate that was signed for $NODE_NAME is not for the key in $KEY" "$HINT"
  cmp -s "$new" "$CERTIFICATE" || install_file 0644 "$CERTIFICATE" <"$new"
  if joined; then
    ! outdated || restart_kubelet
    report
  fi
  printf '{"step":"serving","ms":%d}\n' "$(took "$started")"
}

remove() {
  # A kubelet whose config names the files still uses them. When the node goes, its config is gone by now.
  if ! grep -qsF "$KEY" "$KUBELET_DIR/config.yaml"; then rm -f "$KEY" "$CERTIFICATE"; fi
}

case "$1" in
  request) request "$2" ;;
  apply) apply ;;
  remove) remove ;;
esac
