#!/bin/sh
# discover.sh SERVER PIN...   prints the CA certificates of a cluster, for a machine that knows only the server's URL and pins of the CA
#
# Any server may answer for kube-public/cluster-info. So the script takes from it only certificates whose public key has one of the pins
# (sha256:<hex>, as for `kubeadm --discovery-token-ca-cert-hash`). Then the server must prove itself with these certificates.
# Needs curl and openssl, and sends no credentials.
set -eu

fail() {
  printf 'tls-bootstrap: %s\n' "$*" >&2
  exit 1
}

[ $# -ge 2 ] || fail "usage: discover.sh SERVER PIN..."
server=$1
shift
for pin in "$@"; do
  case "$pin" in sha256:*) ;; *) fail "'$pin' is not a pin: give sha256: and 64 hexadecimal digits" ;; esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

curl --insecure --silent --show-error --fail --max-time 20 \
  --output "$work/document" "$server/api/v1/namespaces/kube-public/configmaps/cluster-info" ||
  fail "$server does not show kube-public/cluster-info: make sure that this machine reaches it, and that the setting clusterInfo is not off"
grep -o 'certificate-authority-data: [A-Za-z0-9+/=]*' "$work/document" | head -n 1 | cut -d ' ' -f 2 | base64 -d >"$work/bundle" ||
  fail "cluster-info of $server holds no CA certificate"
awk -v folder="$work" '/BEGIN CERTIFICATE/ { n++ } n { print >(folder "/certificate-" n) }' "$work/bundle"

for certificate in "$work"/certificate-*; do
  key=$(openssl x509 -in "$certificate" -noout -pubkey 2>/dev/null | openssl pkey -pubin -outform der 2>/dev/null | sha256sum | cut -d ' ' -f 1)
  for pin in "$@"; do
    # openssl writes this certificate only, without other text around it.
    if [ "$pin" = "sha256:$key" ]; then openssl x509 -in "$certificate" >>"$work/ca" || true; fi
  done
done
[ -s "$work/ca" ] || fail "no CA certificate in cluster-info of $server has one of the given pins; nothing was sent to the server. Check the pins and the URL"

curl --silent --show-error --fail --max-time 20 --cacert "$work/ca" --output /dev/null "$server/version" ||
  fail "$server does not prove itself with the pinned CA; nothing was sent to the server. Check the pins and the URL"
cat "$work/ca"
