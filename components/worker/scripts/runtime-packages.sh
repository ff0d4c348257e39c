# shellcheck shell=sh
# Container runtime from packages, with apt or dnf. runtime.sh sources this file.
#
# $PACKAGES lists the packages that were not on the host before. Only these are removed again.
# shellcheck disable=SC2086 # lists of package names

package_manager() {
  if command -v apt-get >/dev/null; then echo apt; elif command -v dnf >/dev/null; then echo dnf; fi
}

# --- apt ---

apt() { DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" 2>&1; }

apt_has() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# A machine updates its package lists by itself after boot. DPkg::Lock::Timeout does not wait for the lock on the lists.
apt_update() {
  attempts=0
  until answer=$(apt update); do
    attempts=$((attempts + 1))
    case "$answer" in *"Could not get lock"*) ;; *) attempts=100 ;; esac
    [ "$attempts" -lt 60 ] || fail "apt-get update failed; nothing was installed: $answer" "check this host's package sources and the proxy setting, then run 'pulumi up' again"
    sleep 5
  done
}

with_apt() { # install | fetch
  wanted=
  for name in containerd containernetworking-plugins iptables; do
    apt_has "$name" || wanted="$wanted $name"
  done
  if [ -n "$CONTAINERD_VERSION" ] && [ "$(dpkg-query -W -f '${Version}' containerd 2>/dev/null)" != "$CONTAINERD_VERSION" ]; then
    wanted="$(printf '%s' "$wanted" | sed 's/ containerd$//; s/ containerd / /') containerd=$CONTAINERD_VERSION"
  fi
  [ -n "$wanted" ] || return 0
  apt_update
  what=$1
  set -- install --no-install-recommends --allow-downgrades -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold
  plan=$(apt "$@" --simulate $wanted) ||
    fail "these packages cannot be installed:$wanted; nothing was installed: $plan" "check this host's package sources, then run 'pulumi up' again"
  ! printf '%s\n' "$plan" | grep -q '^Remv ' ||
    fail "installing$wanted would remove packages, so nothing was installed: $(printf '%s\n' "$plan" | awk '$1 == "Remv" { print $2 }' | tr '\n' ' ')" \
      "remove them yourself, or use another runtime type"
  if [ "$what" = fetch ]; then
    answer=$(apt "$@" --download-only $wanted) || fail "these packages cannot be installed:$wanted; nothing was installed: $answer" "check this host's package sources and the proxy setting, then run 'pulumi up' again"
    return 0
  fi
  # Written down before the installation, which may be killed. An upgrade shows its old version in brackets.
  for name in $(printf '%s\n' "$plan" | awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }'); do note "$name" "$PACKAGES"; done
  say "installing$wanted"
  apt_install() { answer=$(apt "$@" $wanted); }
  apt_install "$@" || {
    # Somebody has killed dpkg. apt tells that only once it has the lock.
    case "$answer" in *'dpkg --configure -a'*)
      say "finishing an interrupted installation of packages"
      answer=$(DEBIAN_FRONTEND=noninteractive LC_ALL=C dpkg --force-confdef --force-confold --configure -a 2>&1) && apt_install "$@"
      ;;
    *) false ;;
    esac
  } || fail "installing$wanted failed: $answer" "run 'apt-get install$wanted' on this host to see the cause, then run 'pulumi up' again"
}

# apt_users NAME...: the packages that would be removed with these.
apt_users() { apt purge --simulate "$@" | awk '$1 == "Purg" || $1 == "Remv" { print $2 }' | grep -vxF -f "$PACKAGES"; }

apt_remove() { apt purge "$@"; }

# --- dnf ---

dnf() { LC_ALL=C command dnf -q -y --setopt=install_weak_deps=False "$@" 2>&1; }

dnf_has() { rpm -q "$1" >/dev/null 2>&1; }

with_dnf() { # install | fetch
  # Some distributions have no containerd. Docker's repository has it for them, as containerd.io.
  containerd=containerd
  if dnf_has containerd.io || ! dnf list containerd >/dev/null; then containerd=containerd.io; fi
  wanted='' new=''
  for name in "$containerd" containernetworking-plugins iptables-nft; do
    package=$name
    [ "$name" != "$containerd" ] || package=$name${CONTAINERD_VERSION:+-$CONTAINERD_VERSION}
    dnf_has "$package" || wanted="$wanted $package"
    dnf_has "$name" || new="$new $name"
  done
  [ -n "$wanted" ] || return 0
  if [ "$1" = fetch ]; then
    answer=$(dnf install --downloadonly $wanted) || fail "these packages cannot be installed:$wanted; nothing was installed: $answer" "check this host's repositories and the proxy setting, then run 'pulumi up' again"
    return 0
  fi
  # Written down before the installation, as with apt. dnf itself removes what they need and nothing else does.
  for name in $new; do note "$name" "$PACKAGES"; done
  say "installing$wanted"
  if ! answer=$(dnf install $wanted); then
    for name in $new; do dnf_has "$name" || forget "$name" "$PACKAGES"; done
    fail "these packages cannot be installed:$wanted; dnf installed none of them: $answer" "check this host's repositories and the proxy setting, then run 'pulumi up' again"
  fi
}

# dnf_users NAME...: the packages that need one of these. dnf would remove them too.
dnf_users() { LC_ALL=C rpm -e --test "$@" 2>&1 | sed -n 's/.* is needed by (installed) //p' | sort -u; }

dnf_remove() { dnf remove "$@"; }

# --- either ---

install_packages() { "with_$(package_manager)" install; }
fetch_packages() { "with_$(package_manager)" fetch; }

# remove_packages: removes those in $PACKAGES. When a package of somebody else's needs one of them, all stay.
remove_packages() {
  manager=$(package_manager) names=
  while read -r name; do ! "${manager}_has" "$name" || names="$names $name"; done <"$PACKAGES"
  [ -n "$names" ] || return 0
  users=$("${manager}_users" $names | tr '\n' ' ')
  if [ -n "$users" ]; then
    say "left installed:$names; other packages need some of them: ${users% }"
    return 0
  fi
  answer=$("${manager}_remove" $names) || fail "removing$names failed: $answer" "remove them on this host to see the cause, then run 'pulumi up' again"
}
