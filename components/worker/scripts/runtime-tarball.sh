# shellcheck shell=sh
# Container runtime from the releases of containerd, runc and the CNI plugins. runtime.sh sources this file.

RELEASES=/opt/tls-bootstrap # unpacked releases: NAME-VERSION, never changed

# for_this_host PATH: PATH with this host's architecture.
for_this_host() { printf '%s\n' "$1" | sed "s/@ARCHITECTURE@/$ARCHITECTURE/g"; }

# pinned SHA256S: the checksum for this architecture in a list such as `amd64:<sum> arm64:<sum>`.
pinned() {
  for entry in $1; do
    case "$entry" in "$ARCHITECTURE:"*) echo "${entry#*:}" ;; esac
  done
}

# fetch_release NAME VERSION SHA256S PATH CHECKSUMS-PATH: unpacks a release. Its folder appears in one step, when it is complete.
fetch_release() {
  folder=$RELEASES/$1-$2 url=$RUNTIME_URL/$(for_this_host "$4") file=$(for_this_host "${4##*/}")
  [ ! -d "$folder" ] || return 0
  expected=$(pinned "$3")
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
  relabel "$folder"
}

fetch_releases() {
  stage "$RELEASES"
  fetch_release containerd "$CONTAINERD_VERSION" "$CONTAINERD_SHA256" "$CONTAINERD_FILE" "$CONTAINERD_SUMS"
  fetch_release runc "$RUNC_VERSION" "$RUNC_SHA256" "$RUNC_FILE" "$RUNC_SUMS"
  fetch_release cni-plugins "$CNI_VERSION" "$CNI_SHA256" "$CNI_FILE" "$CNI_SUMS"
}

# move_links: moves the links of an earlier binDir to this one. containerd goes on, because it runs by the path of its release.
move_links() {
  [ -e "$LINKS" ] || return 0
  while read -r path; do
    case "${path%/*}" in
      "$BIN_DIR" | "$CNI_BIN") ;;
      *)
        own_link "$(readlink "$path")" "$BIN_DIR/${path##*/}"
        drop_link "$path"
        ;;
    esac
  done <"$LINKS"
}

link_releases() {
  move_links
  for program in containerd ctr containerd-shim-runc-v2; do
    own_link "$RELEASES/containerd-$CONTAINERD_VERSION/bin/$program" "$BIN_DIR/$program"
  done
  own_link "$RELEASES/runc-$RUNC_VERSION/runc" "$BIN_DIR/runc"
}

# remove_releases [KEPT...]: removes all releases except the folders KEPT.
remove_releases() {
  for folder in "$RELEASES"/containerd-* "$RELEASES"/runc-* "$RELEASES"/cni-plugins-*; do
    case " $* " in *" ${folder##*/} "*) ;; *) rm -rf "$folder" ;; esac
  done
}
