# Read by scripts/test: a fresh Debian or Ubuntu, made with debootstrap from where this machine's apt fetches. For the
# test of scripts/provision, which has no network: what provision installs is downloaded, and nothing more.
#
#   make_fresh HOME   HOME/root is the tree; does nothing the second time; ends the script with a sentence if it cannot
#
# It is made in namespaces of its own; packages that want to start services are refused.

make_fresh() {
    local home=$1 packages
    packages=$("$REPOSITORY/scripts/provision" --packages)
    [ "$(cat "$home/complete" 2>/dev/null)" != "$packages" ] || return 0
    rm -rf "$home"
    unpack "$home/debootstrap" debootstrap
    mkdir -p "$home/root"
    eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
    export http_proxy
    # shellcheck disable=SC2046,SC2086  # several words on purpose
    unshare --mount --pid --ipc --uts --fork --kill-child bash -euc "$FRESH" fresh "$home" $(where_apt_fetches) "$packages" \
        </dev/null >/tmp/minidock-fresh.log 2>&1 || fail "debootstrap made no fresh tree; see /tmp/minidock-fresh.log"
    echo "$packages" >"$home/complete"
}

where_apt_fetches() { # SUITE MIRROR
    (. /etc/os-release && apt-get indextargets --format '$(CODENAME) $(REPO_URI) $(COMPONENT) $(CREATED_BY)' |
        awk -v suite="$VERSION_CODENAME" '$1 == suite && $3 == "main" && $4 == "Packages" { print $1, $2; exit }')
}

FRESH='home=$1 suite=$2 mirror=$3 packages=$4 unpacked=$1/debootstrap/root/usr tree=$1/tree
export DEBOOTSTRAP_DIR=$unpacked/share/debootstrap PATH=$PATH:$unpacked/bin DEBIAN_FRONTEND=noninteractive
mkdir -p "$tree"
mount -t tmpfs tmpfs "$tree" # its thousands of fsync would take a minute on a disk
"$unpacked/sbin/debootstrap" --variant=minbase "$suite" "$tree" "$mirror"
printf "#!/bin/sh\nexit 101\n" >"$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
chroot "$tree" apt-get -q update
chroot "$tree" apt-get -q install -y --download-only --no-install-recommends $packages
umount -R "$tree/proc" "$tree/sys" 2>/dev/null || true
cp -a --one-file-system "$tree/." "$home/root/"'
