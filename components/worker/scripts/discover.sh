#!/bin/sh
# discover.sh SERVER PIN...   prints the CA certificates of a cluster of which this machine knows only where it is and the pins of its CA
#
# For machines that get no CA over SSH nor in their user data. kube-public/cluster-info is fetched from whoever answers, so nothing in it is
# believed but certificates whose public key has a given pin (sha256:<hex>, as of `kubeadm --discovery-token-ca-cert-hash`); the rest of a bundle is dropped. Then the
# server has to prove itself with what is left. Needs curl and openssl, and sends no credentials.
set -eu

fail() {
  printf 'tls-bootstrap: %s\n' "$*" >&2
  exit 1
}

[ $# -ge 2 ] || fail "usage: discover.sh SERVER PIN..."
server=$1
shift
for pin in "$@"; do
  case "$pin" in sha256:*) ;; *) fail "'$pin' is not a pin: sha256: and 64 hexadecimal digits" ;; esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

curl --insecure --silent --show-error --fail --max-time 20 \
  --output "$work/document" "$server/api/v1/namespaces/kube-public/configmaps/cluster-info" ||
  fail "$server does not show kube-public/cluster-info; is it reachable from here, and clusterInfo not off?"
grep -o 'certificate-authority-data: [A-Za-z0-9+/=]*' "$work/document" | head -n 1 | cut -d ' ' -f 2 | base64 -d >"$work/bundle" ||
  fail "cluster-info of $server holds no CA"
awk -v folder="$work" '/BEGIN CERTIFICATE/ { n++ } n { print >(folder "/certificate-" n) }' "$work/bundle"

for certificate in "$work"/certificate-*; do
  key=$(openssl x509 -in "$certificate" -noout -pubkey 2>/dev/null | openssl pkey -pubin -outform der 2>/dev/null | sha256sum | cut -d ' ' -f 1)
  for pin in "$@"; do
    # Written anew by openssl: this one certificate, not what else stands around it in the text.
    if [ "$pin" = "sha256:$key" ]; then openssl x509 -in "$certificate" >>"$work/ca" || true; fi
  done
done
[ -s "$work/ca" ] || fail "no CA certificate in cluster-info of $server has one of the given pins; nothing was sent to it"

curl --silent --show-error --fail --max-time 20 --cacert "$work/ca" --output /dev/null "$server/version" ||
  fail "$server does not prove itself with the pinned CA; nothing was sent to it"
cat "$work/ca"
