#!/bin/sh
# runtime.sh check   prints what keeps this host from having the container runtime that host.conf wants, a problem a line; not installed yet, for preflight.sh
# runtime.sh apply   installs containerd with what it needs, configures it, and sees to it that a kubelet can use it
# runtime.sh remove  takes away what was installed and puts back what was there
#
# A runtime of somebody else's is never replaced. Whatever goes wrong, the containerd that ran before goes on with its old files.
set -eu
# shellcheck source=common.sh
. "${0%/*}/common.sh"
# shellcheck source=/dev/null
. "${HOST_CONF:-$CONF/host.conf}"
# shellcheck source=download.sh
. "${0%/*}/download.sh"

FILES=$CONF/runtime                 # the files as they shall be
RELEASES=/opt/tls-bootstrap         # unpacked releases: NAME-VERSION, never changed
PREVIOUS=$STATE/runtime-previous    # what this run replaced
MANIFEST=$STATE/runtime-files       # the files that are ours
PACKAGES=$STATE/runtime-packages    # the packages that were not on the host before
LINKS=$STATE/runtime-links          # links to plugins and programs
OURS=$STATE/runtime                 # the type, since the installation began
KEPT=before-tls-bootstrap           # suffix of what somebody else had at the place of a file of ours
CNI_BIN=/opt/cni/bin                # where containerd and cluster networks look for plugins
UNIT=/etc/systemd/system/containerd.service

PATH=$PATH:$BIN_DIR

# noted LINE FILE: FILE has that line.
noted() { [ -e "$2" ] && grep -qxF "$1" "$2"; }
note() { noted "$1" "$2" || printf '%s\n' "$1" >>"$2"; }

# The problems that `check` found.
problem() { printf '%s\n' "$*"; }

containerd_version() { containerd --version 2>/dev/null | awk '{ sub(/^v/, "", $3); print $3 }'; }

# cri_problem: why a kubelet could not use this containerd; nothing when it could.
cri_problem() {
  if ! command -v ctr >/dev/null; then
    [ -S "$RUNTIME_SOCKET" ] || echo "no container runtime listens on $RUNTIME_SOCKET"
    return 0
  fi
  if ! plugins=$(ctr --address "$RUNTIME_SOCKET" --connect-timeout 2s --timeout 10s plugins ls 2>&1); then
    echo "no containerd answers on $RUNTIME_SOCKET: $(printf '%s' "$plugins" | tail -n 1)"
    return 0
  fi
  case "$(printf '%s\n' "$plugins" | awk '$1 == "io.containerd.grpc.v1" && $2 == "cri" { print $NF }')" in
    ok) ;;
    '') echo "containerd runs, but its CRI plugin is disabled: take it out of disabled_plugins in /etc/containerd/config.toml (Docker's package puts it there) and restart containerd" ;;
    *) echo "containerd runs, but its CRI plugin does not: see 'ctr plugins ls' and 'journalctl -u containerd'" ;;
  esac
}

# From version 2 on the kubelet follows containerd's driver by itself.
cgroup_problem() {
  case "$(containerd_version)" in 1.*) ;; *) return 0 ;; esac
  [ "$CGROUP_DRIVER" = systemd ] || return 0
  containerd config dump 2>/dev/null | grep -q 'SystemdCgroup = true' ||
    echo "containerd does not leave control groups to systemd, as the kubelet does: set SystemdCgroup = true for runc in its config.toml and restart it"
}

# Docker's containers and its engine depend on the containerd that they came with.
docker_problem() {
  ! systemctl cat docker.service >/dev/null 2>&1 ||
    echo "a Docker engine is on this host, and its containerd must not be changed under it: use runtime type 'preinstalled' with that containerd, or a host without Docker"
}

package_manager() {
  if command -v apt-get >/dev/null; then echo apt; elif command -v dnf >/dev/null; then echo dnf; fi
}

check() {
  case "$RUNTIME" in
    preinstalled)
      if [ "$CONFIGURE" = yes ]; then
        docker_problem
        command -v containerd >/dev/null || problem "containerd is not installed: install it, or set the runtime's type to package or tarball"
      else
        cri=$(cri_problem)
        if [ -n "$cri" ]; then problem "$cri"; else cgroup_problem; fi
      fi
      ;;
    package)
      docker_problem
      [ -n "$(package_manager)" ] || problem "runtime type 'package' needs apt or dnf, and this host has neither: use 'tarball'"
      case "$(command -v containerd || true)" in
        '' | /usr/bin/containerd) ;;
        *) problem "$(command -v containerd) is of no package: use runtime type 'preinstalled', or remove it" ;;
      esac
      ;;
    tarball)
      docker_problem
      for tool in tar gzip; do command -v "$tool" >/dev/null || problem "'$tool' is missing: install it"; done
      theirs=$(command -v containerd || true)
      [ -z "$theirs" ] || [ -e "$OURS" ] ||
        problem "containerd $(containerd_version) is on this host already, at $theirs: use runtime type 'preinstalled' or 'package', or remove it"
      ;;
  esac
}

# --- packages ---

apt() { DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" 2>&1; }

# A machine that has just booted updates its lists by itself; that lock is not waited for by apt.
apt_update() {
  attempts=0
  until answer=$(apt update); do
    attempts=$((attempts + 1))
    case "$answer" in *"Could not get lock"*) ;; *) attempts=100 ;; esac
    [ "$attempts" -lt 60 ] || fail "apt-get update failed: $answer" "check the package sources and the proxy of this host; nothing was installed"
    sleep 5
  done
}

apt_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_with_apt() {
  wanted=
  for name in containerd containernetworking-plugins iptables; do
    apt_installed "$name" || wanted="$wanted $name"
  done
  if [ -n "$CONTAINERD_VERSION" ] && [ "$(dpkg-query -W -f '${Version}' containerd 2>/dev/null)" != "$CONTAINERD_VERSION" ]; then
    wanted="$(printf '%s' "$wanted" | sed 's/ containerd$//; s/ containerd / /') containerd=$CONTAINERD_VERSION"
  fi
  [ -n "$wanted" ] || return 0
  apt_update
  set -- install --no-install-recommends --allow-downgrades -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold
  # shellcheck disable=SC2086 # a list of packages
  plan=$(apt "$@" --simulate $wanted) || fail "these packages cannot be installed:$wanted: $plan" "check the package sources of this host; nothing was installed"
  ! printf '%s\n' "$plan" | grep -q '^Remv ' ||
    fail "installing$wanted would remove packages: $(printf '%s\n' "$plan" | awk '$1 == "Remv" { print $2 }' | tr '\n' ' ')" "remove them yourself, or use another runtime type; nothing was installed"
  # Before the first of them is installed: what is new here may be removed again. An upgrade shows its old version in brackets.
  for name in $(printf '%s\n' "$plan" | awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }'); do note "$name" "$PACKAGES"; done
  say "installing$wanted"
  # shellcheck disable=SC2086
  answer=$(apt "$@" $wanted) || fail "installing$wanted failed: $answer" "see it on the host with 'apt-get install', and run the update again"
}

remove_with_apt() {
  names=$(tr '\n' ' ' <"$PACKAGES")
  # shellcheck disable=SC2086
  others=$(apt purge --simulate $names | awk '$1 == "Purg" || $1 == "Remv" { print $2 }' | grep -vxF -f "$PACKAGES" | tr '\n' ' ')
  if [ -n "$others" ]; then
    say "left installed, since ${others% } need some of them: $names"
    return 0
  fi
  # shellcheck disable=SC2086
  answer=$(apt purge $names) || fail "removing $names failed: $answer" "see it on the host with 'apt-get purge', and run the update again"
}

dnf() { LC_ALL=C command dnf -q -y --setopt=install_weak_deps=False "$@" 2>&1; }

rpm_installed() { rpm -q "$1" >/dev/null 2>&1; }

install_with_dnf() {
  # Docker's repository is the only one with a containerd for some of these distributions.
  containerd=containerd
  if rpm_installed containerd.io || ! dnf list containerd >/dev/null; then containerd=containerd.io; fi
  wanted='' new=''
  for name in "$containerd" containernetworking-plugins iptables-nft; do
    package=$name
    [ "$name" != "$containerd" ] || package=$name${CONTAINERD_VERSION:+-$CONTAINERD_VERSION}
    rpm_installed "$package" || wanted="$wanted $package"
    rpm_installed "$name" || new="$new $name"
  done
  [ -n "$wanted" ] || return 0
  # Before any of them is installed, as with apt. What they need goes with them by dnf's own account.
  for name in $new; do note "$name" "$PACKAGES"; done
  say "installing$wanted"
  # shellcheck disable=SC2086 # a list of packages
  if ! answer=$(dnf install $wanted); then
    for name in $new; do rpm_installed "$name" || forget "$name" "$PACKAGES"; done
    fail "these packages cannot be installed:$wanted: $answer" "check the repositories and the proxy of this host; dnf installs all of them or none"
  fi
}

remove_with_dnf() {
  names=
  while read -r name; do ! rpm_installed "$name" || names="$names $name"; done <"$PACKAGES"
  [ -n "$names" ] || return 0
  # dnf would take along whatever needs them.
  # shellcheck disable=SC2086
  others=$(LC_ALL=C rpm -e --test $names 2>&1 | sed -n 's/.* is needed by (installed) //p' | sort -u | tr '\n' ' ')
  if [ -n "$others" ]; then
    say "left installed, since ${others% } need some of them:$names"
    return 0
  fi
  # shellcheck disable=SC2086
  answer=$(dnf remove $names) || fail "removing$names failed: $answer" "see it on the host with 'dnf remove', and run the update again"
}

# --- releases ---

# for_this_host PATH: with this host's architecture in it.
for_this_host() { printf '%s\n' "$1" | sed "s/@ARCHITECTURE@/$(architecture)/g"; }

# pin SHA256S: the one for this architecture, of a list such as `amd64:<sum> arm64:<sum>`.
pin() {
  for entry in $1; do
    case "$entry" in "$(architecture)":*) echo "${entry#*:}" ;; esac
  done
}

# release NAME VERSION SHA256S PATH CHECKSUMS-PATH: unpacked into a folder of its own, which is whole if it is there at all.
release() {
  folder=$RELEASES/$1-$2 url=$RUNTIME_URL/$(for_this_host "$4") file=$(for_this_host "${4##*/}")
  [ ! -d "$folder" ] || return 0
  expected=$(pin "$3")
  [ -n "$expected" ] || expected=$(published "$RUNTIME_URL/$(for_this_host "$5")" "$file")
  download_verified "$url" "$STAGING/$file" "$expected"
  mkdir "$STAGING/$1"
  case "$file" in
    *gz) tar -xzf "$STAGING/$file" -C "$STAGING/$1" --no-same-owner ;;
    *)
      chmod 0755 "$STAGING/$file"
      mv "$STAGING/$file" "$STAGING/$1/$1"
      ;;
  esac
  sync -f "$STAGING/$1"
  mv -T "$STAGING/$1" "$folder"
}

install_releases() {
  stage "$RELEASES"
  release containerd "$CONTAINERD_VERSION" "$CONTAINERD_SHA256" "$CONTAINERD_FILE" "$CONTAINERD_SUMS"
  release runc "$RUNC_VERSION" "$RUNC_SHA256" "$RUNC_FILE" "$RUNC_SUMS"
  release cni-plugins "$CNI_VERSION" "$CNI_SHA256" "$CNI_FILE" "$CNI_SUMS"
  for program in containerd ctr containerd-shim-runc-v2; do
    own_link "$RELEASES/containerd-$CONTAINERD_VERSION/bin/$program" "$BIN_DIR/$program"
  done
  own_link "$RELEASES/runc-$RUNC_VERSION/runc" "$BIN_DIR/runc"
  # Those in an earlier binDir.
  while read -r path; do
    case "${path%/*}" in "$BIN_DIR" | "$CNI_BIN") ;; *) drop_link "$path" ;; esac
  done <"$LINKS"
}

# own_link TARGET PATH: not over a file of somebody else's, such as the plugins that a cluster network brings.
own_link() {
  if [ -e "$2" ] && ! noted "$2" "$LINKS"; then return 0; fi
  note "$2" "$LINKS"
  link "$1" "$2"
}

# drop_link PATH: a link of ours. What somebody puts there later is theirs.
drop_link() {
  rm -f "$1"
  forget "$1" "$LINKS"
}

link_plugins() { # FOLDER...
  for plugin in "$@"; do
    case "${plugin##*/}" in LICENSE | README.md) continue ;; esac
    [ ! -f "$plugin" ] || own_link "$plugin" "$CNI_BIN/${plugin##*/}"
  done
}

# Versions that nothing points at any more.
remove_old_releases() {
  for folder in "$RELEASES"/containerd-* "$RELEASES"/runc-* "$RELEASES"/cni-plugins-*; do
    case "${folder##*/}" in
      "containerd-$CONTAINERD_VERSION" | "runc-$RUNC_VERSION" | "cni-plugins-$CNI_VERSION") ;;
      *) rm -rf "$folder" ;;
    esac
  done
}

# --- configuration ---

# place NAME PATH [restart]: the file NAME at PATH. What somebody else has there is kept beside it.
place() {
  placed="$placed $2 "
  if cmp -s "$FILES/$1" "$2"; then return 0; fi
  if [ -e "$2" ]; then
    noted "$2" "$MANIFEST" || cp -p "$2" "$2.$KEPT"
    mkdir -p "$PREVIOUS${2%/*}"
    cp -p "$2" "$PREVIOUS$2"
  fi
  note "$2" "$MANIFEST"
  install_file 0644 "$2" <"$FILES/$1"
  changed="$changed $2"
  [ -z "${3:-}" ] || restart=yes
}

# take_back PATH: what was there before this module came.
take_back() {
  if [ -e "$1.$KEPT" ]; then mv -fT "$1.$KEPT" "$1"; else rm -f "$1"; fi
  rmdir "${1%/*}" 2>/dev/null || true
  forget "$1" "$MANIFEST"
}

forget() { # PATH FILE
  left=$(grep -vxF "$1" "$2" || true)
  printf '%s' "${left:+$left
}" | install_file 0644 "$2"
}

configure() {
  placed='' changed='' restart=''
  rm -rf "$PREVIOUS"
  if [ "$RUNTIME" = tarball ]; then place containerd.service "$UNIT" restart; fi
  case "$(containerd_version)" in
    1.*) place config-2.toml /etc/containerd/config.toml restart ;;
    *) place config-3.toml /etc/containerd/config.toml restart ;;
  esac
  # containerd reads these at each pull.
  for registry in $REGISTRIES; do place "hosts/$registry.toml" "/etc/containerd/certs.d/$registry/hosts.toml"; done
  if [ -n "${http_proxy:-}${https_proxy:-}" ]; then place proxy.conf "$UNIT.d/tls-bootstrap-proxy.conf" restart; fi
  [ ! -e "$MANIFEST" ] || while read -r path; do
    case "$placed" in *" $path "*) continue ;; esac
    case "$path" in */hosts.toml) ;; *) restart=yes ;; esac
    take_back "$path"
  done <"$MANIFEST"
}

# A containerd that does not come up with new files gets its old ones back.
start() {
  systemctl daemon-reload
  systemctl enable --quiet containerd
  # systemctl alone would wait without end for one that hangs while it starts.
  if [ -n "$restart" ]; then verb=restart; else verb=start; fi
  since=$(date +%s)
  timeout 20 systemctl "$verb" containerd 2>/dev/null || true
  deadline=$(($(date +%s) + 20))
  until cri=$(cri_problem) && [ -z "$cri" ]; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
      say "  last lines of containerd (journalctl -u containerd):"
      journalctl -u containerd --since "@$since" --no-pager -o cat 2>/dev/null | grep -E 'level=(error|fatal)|^containerd: ' | tail -n 4 | sed 's/^/    /' >&2 || true
      put_back
      fail "with its new settings containerd is of no use to a kubelet: $cri" "correct the runtime's settings and run the update again; the previous ones were put back"
    fi
    sleep 0.5
  done
}

put_back() {
  for path in $changed; do
    if [ -e "$PREVIOUS$path" ]; then install_file 0644 "$path" <"$PREVIOUS$path"; else rm -f "$path"; fi
  done
  systemctl daemon-reload
  timeout 60 systemctl restart containerd || true
}

apply() {
  if [ "$CONFIGURE" = yes ]; then
    install_file 0644 "$OURS" <<END
$RUNTIME
END
  fi
  case "$RUNTIME" in
    preinstalled) ;;
    package)
      "install_with_$(package_manager)"
      link_plugins /usr/lib/cni/* /usr/libexec/cni/*
      ;;
    tarball)
      install_releases
      link_plugins "$RELEASES/cni-plugins-$CNI_VERSION"/*
      ;;
  esac
  if [ "$CONFIGURE" = yes ]; then
    configure
    start
  fi
  [ "$RUNTIME" != tarball ] || remove_old_releases
  rm -rf "$PREVIOUS"
}

remove() {
  [ -e "$OURS" ] || return 0
  type=$(cat "$OURS")
  if [ "$type" = tarball ] || noted containerd "$PACKAGES" || noted containerd.io "$PACKAGES"; then
    # Its containers went with the node; their images and the rest of its state go now.
    stop_unit containerd
    awk '$2 ~ /^\/(run|var\/lib)\/containerd\// { print $2 }' /proc/mounts | sort -r | while read -r mounted; do umount "$mounted" || true; done
    rm -rf /run/containerd /var/lib/containerd /var/lib/cni
  fi
  [ ! -e "$MANIFEST" ] || while read -r path; do take_back "$path"; done <"$MANIFEST"
  [ ! -e "$LINKS" ] || while read -r path; do rm -f "$path"; done <"$LINKS"
  [ ! -e "$PACKAGES" ] || "remove_with_$(package_manager)"
  rm -rf "$RELEASES"/containerd-* "$RELEASES"/runc-* "$RELEASES"/cni-plugins-*
  rmdir /opt/containerd/* /opt/containerd "$CNI_BIN" "${CNI_BIN%/*}" /etc/containerd/certs.d /etc/containerd 2>/dev/null || true
  systemctl daemon-reload
  # One that stays goes on with the settings that it had before.
  if systemctl is-active --quiet containerd; then systemctl restart containerd; fi
  rm -rf "$MANIFEST" "$LINKS" "$PACKAGES" "$PREVIOUS" "$OURS"
}

case "$1" in
  check) check ;;
  apply) apply ;;
  remove) remove ;;
esac
