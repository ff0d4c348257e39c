# shellcheck shell=sh
# Downloads with checksums. Sourced by host.sh and runtime.sh after common.sh and host.conf, never run by itself.

# Of host.conf, where the settings name a proxy; curl, wget, apt and dnf know these names.
export http_proxy https_proxy no_proxy

# download URL FILE: or of a path, in what was unpacked of an air-gap archive.
download() {
  case "$1" in /*)
    cp "$1" "$2" 2>/dev/null || fail "${1#"$AIR_GAP_DIR/"} is neither on this host nor in its air-gap archive" "send the archive once more: $AIR_GAP_COMMAND"
    return
    ;;
  esac
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --connect-timeout 10 --retry 3 --retry-connrefused --speed-limit 1024 --speed-time 30 --output "$2" "$1"
  else
    wget --quiet --tries=3 --timeout=30 --output-document="$2" "$1"
  fi || fail "cannot download $1" "check that this host reaches it (downloadUrl, proxy); what ran before still runs"
}

matches() { # FILE SHA256
  [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$2" ]
}

# discard_at_end PATH: it goes when the script ends, whichever way.
discarded=
discard_at_end() {
  discarded="$discarded $1"
  # shellcheck disable=SC2086 # a list of paths without blanks
  trap 'rm -rf $discarded' EXIT
  trap 'exit 143' TERM
}

# stage FOLDER: an empty folder in FOLDER, STAGING, for what is not verified yet.
stage() {
  STAGING=$1/staging
  discard_at_end "$STAGING"
  rm -rf "$STAGING" # of a run that was killed
  mkdir -p "$STAGING"
}

# published URL NAME: the SHA-256 of NAME in the checksum file at URL, which holds it alone or with those of other files.
published() {
  download "$1" "$STAGING/sums"
  sum=$(awk -v name="$2" '$2 == "" || $2 == name || $2 == "*" name { print $1; exit }' "$STAGING/sums")
  case "$sum" in
    *[!0-9a-f]* | '') fail "$1 holds no SHA-256 of $2" "check the mirror behind downloadUrl" ;;
  esac
  echo "$sum"
}

# download_verified URL FILE SHA256
download_verified() {
  say "downloading $1"
  download "$1" "$2"
  matches "$2" "$3" ||
    fail "$1 has SHA-256 $(sha256sum "$2" | cut -d ' ' -f 1), but $3 is expected; nothing was installed" "check the mirror behind downloadUrl; what ran before still runs"
}
