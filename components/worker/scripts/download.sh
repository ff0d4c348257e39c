# shellcheck shell=sh
# Downloads with checksums. Sourced by host.sh and runtime.sh after common.sh and host.conf, never run by itself.

# Of host.conf, where the settings name a proxy; curl, wget, apt and dnf know these names.
export http_proxy https_proxy no_proxy

download() { # URL FILE
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --connect-timeout 10 --retry 3 --retry-connrefused --speed-limit 1024 --speed-time 30 --output "$2" "$1"
  else
    wget --quiet --tries=3 --timeout=30 --output-document="$2" "$1"
  fi || fail "cannot download $1" "check that this host reaches it (downloadUrl, proxy); what ran before still runs"
}

matches() { # FILE SHA256
  [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$2" ]
}

# published URL NAME: the SHA-256 of NAME in the checksum file at URL, which holds it alone or with those of other files.
published() {
  sums=$(mktemp "$RUN/sums.XXXXXX")
  download "$1" "$sums"
  sum=$(awk -v name="$2" '$2 == "" || $2 == name || $2 == "*" name { print $1; exit }' "$sums")
  rm -f "$sums"
  case "$sum" in
    *[!0-9a-f]* | '') fail "$1 holds no SHA-256 of $2" "check the mirror behind downloadUrl" ;;
  esac
  echo "$sum"
}

# download_verified URL FILE SHA256: FILE is there only when it is what it should be.
download_verified() {
  say "downloading $1"
  download "$1" "$2"
  if ! matches "$2" "$3"; then
    actual=$(sha256sum "$2" | cut -d ' ' -f 1)
    rm -f "$2"
    fail "$1 has SHA-256 $actual, but $3 is expected; nothing was installed" "check the mirror behind downloadUrl; what ran before still runs"
  fi
}
