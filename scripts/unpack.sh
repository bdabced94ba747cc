# Read by the other scripts: Debian packages, unpacked only. Installed they would start services or change the boot menu.
#
#   unpack HOME PACKAGE...   HOME/root holds their files (/usr merged) and those of what they need and is not here;
#                            does nothing the second time; ends the script with a sentence if they cannot be had

unpack() {
    local home=$1 archive part
    shift
    [ ! -e "$home/complete" ] || return 0
    rm -rf "$home"
    mkdir -p "$home"/archives/partial "$home"/root/{etc,usr/lib,usr/bin,usr/sbin,var/lib}
    { fetch_packages "$home" "$@" || { apt-get -q update && fetch_packages "$home" "$@"; }; } </dev/null >/tmp/minidock-apt.log 2>&1 ||
        fail "apt-get could not fetch $*; see /tmp/minidock-apt.log"
    for archive in "$home"/archives/*.deb; do
        [ ! -e "$archive" ] || dpkg-deb -x "$archive" "$home/root"
    done
    for part in lib bin sbin; do # /lib is /usr/lib on every current Debian
        [ ! -d "$home/root/$part" ] || { cp -a "$home/root/$part/." "$home/root/usr/$part/" && rm -r "$home/root/$part"; }
    done
    rm -r "$home/archives"
    touch "$home/complete"
}

fetch_packages() {
    local home=$1
    shift
    apt-get -q install -y --download-only --no-install-recommends -o Dir::Cache::archives="$home/archives" \
        -o Debug::NoLocking=1 "$@"
}
