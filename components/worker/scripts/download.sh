# shellcheck shell=sh
# Downloads with checksums. host.sh and runtime.sh source this file after common.sh and host.conf.

VERSIONS=/opt/kubernetes # a folder for each version of Kubernetes
ARCHITECTURE=$(architecture)

# host.conf sets these when the settings name a proxy. curl, wget, apt and dnf read them.
export http_proxy https_proxy no_proxy

# redirected URL: where its redirects end. wget itself would also follow them from https to http.
redirected() {
  url=$1
  for _ in 1 2 3 4 5; do
    location=$(wget --quiet --spider --max-redirect=0 --tries=3 --timeout=30 --server-response "$url" 2>&1 | tr -d '\r' | sed -n 's/^ *[Ll]ocation: *\([^ ]*\).*/\1/p' | tail -n 1)
    [ -n "$location" ] || { echo "$url"; return 0; }
    case "$url $location" in
      *' '/*) url=$(printf '%s' "$url" | cut -d / -f 1-3)$location ;;
      https:*' https:'* | http:*' http'*) url=$location ;;
      *) say "$url redirects to $location"; return 1 ;;
    esac
  done
  return 1
}

# download URL FILE: URL may also be a path in the unpacked air-gap archive.
download() {
  case "$1" in /*)
    cp "$1" "$2" 2>/dev/null || fail "${1#"$AIR_GAP_DIR/"} is neither on this host nor in its air-gap archive" "send the archive again: $AIR_GAP_COMMAND"
    return
    ;;
  esac
  # A redirect must not leave https.
  case "$1" in https:*) protocols='=https' ;; *) protocols='=http,https' ;; esac
  if command -v curl >/dev/null; then
    curl --proto "$protocols" --fail --silent --show-error --location --connect-timeout 10 --retry 3 --retry-connrefused --speed-limit 1024 --speed-time 30 --output "$2" "$1"
  else
    url=$(redirected "$1") && wget --quiet --tries=3 --timeout=30 --max-redirect=0 --output-document="$2" "$url"
  fi || fail "cannot download $1; what ran before still runs" "make sure that this host reaches the URL (settings downloadUrl and proxy), then run 'pulumi up' again"
}

matches() { # FILE SHA256
  [ -f "$1" ] && [ "$(sha256 "$1")" = "$2" ]
}

# discard_at_end PATH: deletes PATH when the script ends, however it ends.
discarded=
discard_at_end() {
  discarded="$discarded $1"
  # shellcheck disable=SC2086 # a list of paths without blanks
  trap 'rm -rf $discarded' EXIT
  trap 'exit 143' TERM
}

# stage FOLDER: makes STAGING, an empty folder in FOLDER for files that are not verified yet.
stage() {
  STAGING=$1/staging
  discard_at_end "$STAGING"
  rm -rf "$STAGING" # a killed run leaves it behind
  mkdir -p "$STAGING"
}

# published URL NAME: the SHA-256 of NAME in the checksum file at URL. The file holds that checksum alone or one line for each of several files.
published() {
  download "$1" "$STAGING/sums"
  sum=$(awk -v name="$2" '$2 == "" || $2 == name || $2 == "*" name { print $1; exit }' "$STAGING/sums")
  case "$sum" in
    *[!0-9a-f]* | '') fail "$1 has no SHA-256 of $2" "check the mirror that downloadUrl names" ;;
  esac
  echo "$sum"
}

# download_verified URL FILE SHA256
download_verified() {
  say "downloading $1"
  download "$1" "$2"
  matches "$2" "$3" ||
    fail "$1 has SHA-256 $(sha256 "$2"), but $3 is expected; nothing was installed, and what ran before still runs" \
      "check the mirror that downloadUrl names, then run 'pulumi up' again"
}

# fetch_binaries: downloads $BINARIES into the folder of their version, $bin.
fetch_binaries() {
  bin=$VERSIONS/v$KUBERNETES_VERSION/bin
  from=$DOWNLOAD_URL/v$KUBERNETES_VERSION/bin/linux/$ARCHITECTURE
  stage "$VERSIONS"
  for name in $BINARIES; do
    pin=
    for entry in $KUBERNETES_SHA256; do
      case "$entry" in "$name:$ARCHITECTURE:"*) pin=${entry##*:} ;; esac
    done
    [ -n "$pin" ] || [ -z "$KUBERNETES_SHA256" ] ||
      fail "setting checksums has no SHA-256 of $name $KUBERNETES_VERSION for $ARCHITECTURE" "write the file again (npm run checksums), then run 'pulumi up' again"
    # The checksum stays beside the binary, so that another run needs no network.
    if [ -f "$bin/$name.sha256" ] && matches "$bin/$name" "${pin:-$(cat "$bin/$name.sha256")}"; then continue; fi
    expected=${pin:-$(published "$from/$name.sha256" "$name")}
    download_verified "$from/$name" "$STAGING/$name" "$expected"
    chmod 0755 "$STAGING/$name"
    sync "$STAGING/$name"
    mkdir -p "$bin"
    mv -fT "$STAGING/$name" "$bin/$name"
    relabel "$bin/$name"
    printf '%s\n' "$expected" | install_file 0644 "$bin/$name.sha256"
  done
}
