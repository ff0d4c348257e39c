#!/bin/sh
# runtime.sh check    prints, a line each, what keeps this host from having the container runtime that host.conf asks for; for preflight.sh
# runtime.sh fetch    downloads what 'apply' installs, and changes only what needs no restart
# runtime.sh apply    installs and configures containerd, as far as host.conf asks for it, and waits until a kubelet can use it
# runtime.sh remove   removes what was installed and restores what was there before
#
# A runtime that somebody else has installed is never replaced. When a new setting does not work, containerd goes on with the old one.
set -eu
# shellcheck source=common.sh
. "${0%/*}/common.sh"
# shellcheck source=/dev/null
. "${HOST_CONF:-$CONF/host.conf}"
# shellcheck source=download.sh
. "${0%/*}/download.sh"
# shellcheck source=runtime-packages.sh
. "${0%/*}/runtime-packages.sh"
# shellcheck source=runtime-tarball.sh
. "${0%/*}/runtime-tarball.sh"

FILES=$CONF/runtime                 # the files to be installed
PREVIOUS=$STATE/runtime-previous    # the files that this run has replaced
MANIFEST=$STATE/runtime-files       # paths of the files that are ours
PACKAGES=$STATE/runtime-packages    # packages that were not on the host before
LINKS=$STATE/runtime-links          # paths of the links that are ours: plugins and programs
OURS=$STATE/runtime                 # the runtime's type; exists from the beginning of an installation
KEPT=before-tls-bootstrap           # suffix of files of somebody else that a file of ours has replaced
CNI_BIN=/opt/cni/bin                # where containerd and network plugins look for CNI plugins
UNIT=/etc/systemd/system/containerd.service
UNLINKED=$PREVIOUS/links            # PATH TARGET of the links that this run has changed

PATH=$PATH:$BIN_DIR

# noted LINE FILE: FILE has the line LINE.
noted() { [ -e "$2" ] && grep -qxF "$1" "$2"; }
note() { noted "$1" "$2" || printf '%s\n' "$1" >>"$2"; }

forget() { # LINE FILE
  left=$(grep -vxF "$1" "$2" || true)
  printf '%s' "${left:+$left
}" | install_file 0644 "$2"
}

# --- checks ---

problem() { printf '%s\n' "$*"; }

containerd_version() { containerd --version 2>/dev/null | awk '{ sub(/^v/, "", $3); print $3 }'; }

# cri_problem: why a kubelet could not use this containerd; nothing when it could.
cri_problem() {
  if ! command -v ctr >/dev/null; then
    [ -S "$RUNTIME_SOCKET" ] || problem "no container runtime listens on $RUNTIME_SOCKET: install containerd, or set the runtime's type to package or tarball"
    return 0
  fi
  if ! plugins=$(ctr --address "$RUNTIME_SOCKET" --connect-timeout 2s --timeout 10s plugins ls 2>&1); then
    problem "no containerd answers on $RUNTIME_SOCKET ($(printf '%s' "$plugins" | tail -n 1)): see 'systemctl status containerd'"
    return 0
  fi
  case "$(printf '%s\n' "$plugins" | awk '$1 == "io.containerd.grpc.v1" && $2 == "cri" { print $NF }')" in
    ok) ;;
    '') problem "containerd runs, but its CRI plugin is disabled: take it out of disabled_plugins in /etc/containerd/config.toml (Docker's package puts it there) and restart containerd" ;;
    *) problem "containerd runs, but its CRI plugin does not: see 'ctr plugins ls' and 'journalctl -u containerd'" ;;
  esac
}

# cgroup_problem: containerd 1 and the kubelet use different cgroup drivers. With containerd 2 the kubelet uses containerd's.
cgroup_problem() {
  [ "$CGROUP_DRIVER" = systemd ] || return 0
  case "$(containerd config dump 2>/dev/null)" in *'SystemdCgroup = true'*) return 0 ;; esac
  case "$(containerd_version)" in 1.*) ;; *) return 0 ;; esac
  problem "containerd does not use the cgroup driver systemd, as the kubelet does: set SystemdCgroup = true for runc in its config.toml and restart it"
}

# docker_problem: Docker depends on the containerd that it was installed with.
docker_problem() {
  ! systemctl cat docker.service >/dev/null 2>&1 ||
    problem "a Docker engine is on this host, and its containerd must not be changed under it: use runtime type 'preinstalled' with that containerd, or a host without Docker"
}

check() {
  theirs=$(command -v containerd || true)
  case "$RUNTIME" in
    preinstalled)
      if [ "$CONFIGURE" = yes ]; then
        docker_problem
        [ -n "$theirs" ] || problem "containerd is not installed: install it, or set the runtime's type to package or tarball"
      else
        cri=$(cri_problem)
        if [ -n "$cri" ]; then problem "$cri"; else cgroup_problem; fi
      fi
      ;;
    package)
      docker_problem
      [ -n "$(package_manager)" ] || problem "runtime type 'package' needs apt or dnf, and this host has neither: use runtime type 'tarball'"
      case "$theirs" in
        '' | /usr/bin/containerd) ;;
        *) problem "$theirs does not come from a package: use runtime type 'preinstalled', or remove it" ;;
      esac
      ;;
    tarball)
      docker_problem
      for tool in tar gzip; do command -v "$tool" >/dev/null || problem "'$tool' is missing: install it"; done
      [ -z "$theirs" ] || [ -e "$OURS" ] ||
        problem "containerd $(containerd_version) is already on this host, at $theirs: use runtime type 'preinstalled' or 'package', or remove it"
      ;;
  esac
}

# --- links ---

# own_link TARGET PATH: never replaces a file of somebody else's, such as a plugin of a cluster network.
own_link() {
  if [ -e "$2" ] && ! noted "$2" "$LINKS"; then return 0; fi
  note "$2" "$LINKS"
  target=$(readlink "$2" || true)
  [ "$target" != "$1" ] || return 0
  [ -z "$target" ] || printf '%s %s\n' "$2" "$target" >>"$UNLINKED"
  link "$1" "$2"
}

# relink: the links of before this run.
relink() { [ ! -e "$UNLINKED" ] || while read -r path target; do link "$target" "$path"; done <"$UNLINKED"; }

drop_link() { # PATH
  rm -f "$1"
  forget "$1" "$LINKS"
}

link_plugins() { # FILE...
  for plugin in "$@"; do
    case "${plugin##*/}" in LICENSE | README.md) continue ;; esac
    [ ! -f "$plugin" ] || own_link "$plugin" "$CNI_BIN/${plugin##*/}"
  done
}

# --- configuration ---

# place NAME PATH [restart]: installs the file NAME at PATH. A file of somebody else's at PATH is kept beside it.
place() {
  placed="$placed $2 "
  if cmp -s "$FILES/$1" "$2"; then return 0; fi
  if [ -e "$2" ]; then
    noted "$2" "$MANIFEST" || cp -p "$2" "$2.$KEPT"
    save_previous "$2"
  fi
  note "$2" "$MANIFEST"
  install_file 0644 "$2" <"$FILES/$1"
  changed="$changed $2"
  [ -z "${3:-}" ] || restart=yes
}

# take_back PATH: restores what was at PATH before our file.
take_back() {
  if [ -e "$1.$KEPT" ]; then mv -fT "$1.$KEPT" "$1"; else rm -f "$1"; fi
  rmdir "${1%/*}" 2>/dev/null || true
  forget "$1" "$MANIFEST"
}

configure() {
  placed='' changed='' restart=''
  [ ! -e "$UNLINKED" ] || restart=yes
  if [ "$RUNTIME" = tarball ]; then place containerd.service "$UNIT" restart; fi
  case "$(containerd_version)" in
    1.*) place config-2.toml /etc/containerd/config.toml restart ;;
    *) place config-3.toml /etc/containerd/config.toml restart ;;
  esac
  if [ -n "${http_proxy:-}${https_proxy:-}" ]; then place proxy.conf "$UNIT.d/tls-bootstrap-proxy.conf" restart; fi
  stale=$(not_placed | grep -v '/hosts\.toml$' || true)
  for path in $stale; do
    restart=yes
    take_back "$path"
  done
}

# not_placed: paths of our files that this run has not placed.
not_placed() {
  [ ! -e "$MANIFEST" ] || while read -r path; do
    case "$placed" in *" $path "*) ;; *) echo "$path" ;; esac
  done <"$MANIFEST"
}

# configure_registries: containerd reads these files at each pull, so they need no restart.
configure_registries() {
  placed='' changed=''
  for registry in $REGISTRIES; do place "hosts/$registry.toml" "/etc/containerd/certs.d/$registry/hosts.toml"; done
  stale=$(not_placed | grep '/hosts\.toml$' || true)
  for path in $stale; do take_back "$path"; done
  record_placed registries
}

# record_placed NAME: remembers the files that this run has placed.
record_placed() { printf '%s' "$placed" | tr ' ' '\n' | grep . | record "$1"; }

# How long containerd may take to start: it reads the metadata of all its images.
START_SECONDS=60

# start: starts containerd with the new files. When it does not work with them, it gets the old ones back.
start() {
  reload_changed containerd
  systemctl enable --quiet --no-reload containerd
  if [ -n "$restart" ]; then verb=restart; else verb=start; fi
  timeout "$START_SECONDS" systemctl "$verb" containerd 2>/dev/null || true # systemctl waits without end for a unit that hangs while it starts
  clock
  deadline=$((NOW + START_SECONDS))
  restarts=$(systemctl show -P NRestarts containerd)
  until cri=$(cri_problem) && [ -z "$cri" ]; do
    if over "$deadline" || [ "$(systemctl show -P NRestarts containerd)" -ge $((restarts + 2)) ]; then
      unit_journal containerd
      # shellcheck disable=SC2086 # a list of paths without blanks
      restore_previous $changed
      relink
      systemctl daemon-reload
      timeout 60 systemctl restart containerd || true
      fail "containerd does not work with its new settings; the previous ones were put back: $cri" "correct the runtime's settings, then run 'pulumi up' again"
    fi
    sleep 0.5
  done
}

fetch() {
  case "$RUNTIME" in
    package) fetch_packages ;;
    tarball)
      fetch_releases
      move_links
      ;;
  esac
  if [ "$CONFIGURE" = yes ]; then configure_registries; fi
  rm -rf "$PREVIOUS"
}

apply() {
  rm -rf "$PREVIOUS"
  mkdir -p "$PREVIOUS"
  if [ "$CONFIGURE" = yes ]; then
    install_file 0644 "$OURS" <<END
$RUNTIME
END
  fi
  case "$RUNTIME" in
    preinstalled) ;;
    package)
      install_packages
      link_plugins /usr/lib/cni/* /usr/libexec/cni/*
      ;;
    tarball)
      fetch_releases
      link_releases
      link_plugins "$RELEASES/cni-plugins-$CNI_VERSION"/*
      ;;
  esac
  if [ "$CONFIGURE" = yes ]; then
    configure_registries
    configure
    start
    record_placed runtime
  else
    rm -f "$RECORDS/runtime" "$RECORDS/registries"
  fi
  [ "$RUNTIME" != tarball ] || remove_releases "containerd-$CONTAINERD_VERSION" "runc-$RUNC_VERSION" "cni-plugins-$CNI_VERSION"
  rm -rf "$PREVIOUS"
  printf '%s\n' "$RUNTIME_RELEASES" "$RUNTIME_SETTINGS" | install_file 0644 "$RUNTIME_IN_USE"
}

remove() {
  [ -e "$OURS" ] || return 0
  type=$(cat "$OURS")
  if [ "$type" = tarball ] || noted containerd "$PACKAGES" || noted containerd.io "$PACKAGES"; then
    # This containerd is ours. Its containers went with the node, and now its images and state go.
    stop_unit containerd
    for folder in /run/containerd /var/lib/containerd; do unmount_below "$folder"; done
    delete_folders /run/containerd /var/lib/containerd /var/lib/cni
  fi
  [ ! -e "$MANIFEST" ] || while read -r path; do take_back "$path"; done <"$MANIFEST"
  [ ! -e "$LINKS" ] || while read -r path; do rm -f "$path"; done <"$LINKS"
  [ ! -e "$PACKAGES" ] || remove_packages
  remove_releases
  rmdir /opt/containerd/* /opt/containerd "$CNI_BIN" "${CNI_BIN%/*}" /etc/containerd/certs.d /etc/containerd 2>/dev/null || true
  systemctl daemon-reload
  # A containerd that stays goes back to its earlier settings.
  if systemctl is-active --quiet containerd; then systemctl restart containerd; fi
  rm -rf "$MANIFEST" "$LINKS" "$PACKAGES" "$PREVIOUS" "$OURS" "$RUNTIME_IN_USE" "$RECORDS/runtime" "$RECORDS/registries"
}

case "$1" in
  check) check ;;
  fetch) fetch ;;
  apply) apply ;;
  remove) remove ;;
esac
