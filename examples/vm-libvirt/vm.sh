#!/bin/sh
# Makes or deletes a VM of libvirt:
#   vm.sh create NAME IMAGE   reads user data for cloud-init on stdin, prints {"id":…,"address":…} when the VM has an address
#   vm.sh delete NAME
# $LIBVIRT_DEFAULT_URI names the hypervisor. The pool and network `default` are used.
set -eu

create() {
  name=$1 image=$2
  folder=$(umask 077 && mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  (umask 077 && cat >"$folder/user-data")
  virt-install --quiet --noautoconsole --import --name "$name" --osinfo detect=on,require=off \
    --memory 2048 --vcpus 2 --network network=default \
    --disk "pool=default,size=20,backing_store=$image,backing_format=qcow2" \
    --cloud-init "user-data=$folder/user-data" >&2
  id=$(virsh domuuid "$name" | head -n 1)
  address=$(address_of "$name") || {
    delete "$name" # Pulumi forgets a VM that it could not make
    return 1
  }
  printf '{"id":"%s","address":"%s"}\n' "$id" "$address"
}

# The address that DHCP gave to the VM. Waits for two minutes.
address_of() {
  tries=60
  while [ "$tries" -gt 0 ]; do
    found=$(virsh domifaddr "$1" --source lease | awk '$3 == "ipv4" { sub("/.*", "", $4); print $4; exit }')
    [ -z "$found" ] || break
    sleep 2
    tries=$((tries - 1))
  done
  [ -n "$found" ] || {
    echo "$1 got no address from network 'default' in two minutes" >&2
    return 1
  }
  echo "$found"
}

delete() {
  virsh dominfo "$1" >/dev/null 2>&1 || return 0
  virsh destroy "$1" >/dev/null 2>&1 || true # it may be off
  virsh undefine "$1" --remove-all-storage >&2
}

"$@"
