#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs deploy/quickstart.sh (as root and as an ordinary user) and tests/run.sh on a bare Debian 12: a
# debootstrap --variant=minbase in a folder, with its own process table and a clone of this
# repository's HEAD. Needs root and debootstrap. What was downloaded stays in $CACHE for the next time.
#   tests/bare-debian.sh [--quick] [--keep]     --quick: without tests/run.sh; --keep: leave the folder
# The network is the machine's own: ports 31143 and up are used.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE=${CACHE:-/var/tmp/posthouse-bare}
MIRROR=${MIRROR:-http://deb.debian.org/debian}

if [ "${1:-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "bare-debian: run it as root" >&2; exit 1; }
    command -v debootstrap >/dev/null || { echo "bare-debian: apt-get install debootstrap" >&2; exit 1; }
    exec unshare --mount --pid --fork --kill-child --propagation private --mount-proc "$PWD/tests/bare-debian.sh" --inside "$@"
fi
shift
quick=0 keep=0
for option; do
    case $option in
    --quick) quick=1 ;;
    --keep) keep=1 ;;
    *) echo "bare-debian: unknown option '$option'" >&2; exit 1 ;;
    esac
done

mkdir -p "$CACHE/archives/partial"
if [ ! -s "$CACHE/minbase.tar" ]; then
    echo "== debootstrap --variant=minbase bookworm"
    debootstrap --variant=minbase bookworm "$CACHE/base" "$MIRROR" >"$CACHE/debootstrap.log"
    tar -C "$CACHE/base" -cf "$CACHE/minbase.tar.new" .
    mv "$CACHE/minbase.tar.new" "$CACHE/minbase.tar"
    rm -rf "$CACHE/base"
fi

root=$(mktemp -d /var/tmp/posthouse-bare-root.XXXXXX)
finish() {
    # The mounts are this namespace's own; the folder must not go while they are there.
    umount -R "$root" 2>/dev/null || :
    if [ "$keep" = 1 ]; then
        echo "left: $root"
    elif ! mountpoint -q "$root"; then
        rm -rf --one-file-system "$root"
    fi
}
trap finish EXIT
mount --bind "$root" "$root" # unshare wants a mount point at /
tar -C "$root" -xf "$CACHE/minbase.tar"
chmod 755 "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mount --make-rslave "$root/sys"
mount --bind "$CACHE/archives" "$root/var/cache/apt/archives"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
rm -f "$root/etc/apt/apt.conf.d/docker-clean"
echo 'Binary::apt-get::APT::Keep-Downloaded-Packages "true";' >"$root/etc/apt/apt.conf.d/99keep"
# Installing postfix must not start one on the machine's ports.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
git -c safe.directory='*' clone -q --no-hardlinks . "$root/root/posthouse"
git -c safe.directory='*' clone -q --no-hardlinks . "$root/home/posthouse"
echo "== Debian $(cat "$root/etc/debian_version"), $(chroot "$root" dpkg-query -f '.\n' -W | wc -l) packages, commit $(git rev-parse --short HEAD)"

inside=(chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C TERM=dumb)

# try NAME PORT COMMAND...: runs quickstart until the demonstration is over, then stops it.
try() {
    local name=$1 port=$2 out=$root/tmp/quickstart.out pid rc=0
    shift 2
    echo "== quickstart $name"
    "$@" --imap "$port" --imaps "$((port + 1))" >"$out" 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        grep -q '^demo: .*EXISTS' "$out" && break
        kill -0 $pid 2>/dev/null || break
        sleep 1
    done
    sleep 1
    # chroot, env and setpriv have become the script: it hears the signal itself.
    kill -TERM $pid 2>/dev/null || :
    wait $pid || rc=$?
    sed 's/^/   /' "$out"
    echo "   stopped with status $rc; processes left: $(ps -eo args= | grep -c "[b]uild/gcc/bin" || :)"
    [ $rc = 0 ] && grep -q '^ready: ' "$out" && grep -q '^demo: .*EXISTS.* ms' "$out"
}

failed=0
try "as root" 31143 "${inside[@]}" /root/posthouse/deploy/quickstart.sh --dir /tmp/q1 || failed=1
"${inside[@]}" useradd --create-home --shell /bin/sh alice
chown -R "$(grep ^alice: "$root/etc/passwd" | cut -d: -f3-4)" "$root/home/posthouse"
try "as an ordinary user" 31145 "${inside[@]}" setpriv --reuid alice --regid alice --clear-groups \
    env HOME=/home/alice /home/posthouse/deploy/quickstart.sh || failed=1
try "as an ordinary user, again" 31145 "${inside[@]}" setpriv --reuid alice --regid alice --clear-groups \
    env HOME=/home/alice /home/posthouse/deploy/quickstart.sh || failed=1
if [ $quick = 0 ]; then
    echo "== tests/run.sh"
    "${inside[@]}" /root/posthouse/tests/run.sh 2>&1 | sed -u 's/^/   /' || failed=1
fi
if [ $failed = 0 ]; then echo "bare Debian: all green"; else echo "bare Debian: something failed, see above"; fi
exit $failed
