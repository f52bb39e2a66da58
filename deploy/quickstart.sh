#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds Posthouse and runs it on 127.0.0.1 with a demo account.
set -eu

usage() {
    cat <<'EOF'
usage: deploy/quickstart.sh [--dir DIR] [--imap PORT] [--imaps PORT] [--passwd FILE]
                            [--set NAME=value]... [--no-install] [--no-demo]

  --dir DIR        settings (DIR/etc/posthouse.conf), mail (DIR/mail/USER/Maildir) and DIR/log; kept
                   between runs. Default: ~/.posthouse, for root /var/lib/posthouse-quickstart
  --imap PORT      IMAP with STARTTLS (default: what DIR's settings say, at first 1143)
  --imaps PORT     IMAP over TLS (default: what DIR's settings say, at first 1993)
  --passwd FILE    accounts, as user:hash:uid:gid:gecos:home:shell:options (default: DIR/etc/passwd,
                   made with the account "demo", password "demo")
  --set NAME=value a setting of posthouse.conf(5) for this run; may be repeated
  --no-install     install no packages
  --no-demo        run only; without showing a delivery reach a client in IDLE

A setting stays if it is written into DIR/etc/posthouse.conf; it counts from the next start on.
Runs in the foreground until SIGINT or SIGTERM, then stops all it started and exits 0.
EOF
}

# Whoever reads us may go away; the mail server stays.
trap '' PIPE
say() { printf '%s\n' "$*" || :; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

# ---- options -------------------------------------------------------------------------------------
if [ "$(id -u)" = 0 ]; then
    dir=/var/lib/posthouse-quickstart # the mail account could not pass through /root
else
    dir=${HOME:-/tmp}/.posthouse
fi
top=$(cd "$(dirname "$0")/.." && pwd)
imap='' imaps='' passwd='' install=1 demo=1 nset=0

add_set() {
    case $1 in
    PORT=*) imap=${1#*=} ;;
    SSLPORT=*) imaps=${1#*=} ;;
    PASSWD_FILE=*) passwd=${1#*=} ;;
    *=*)
        nset=$((nset + 1))
        eval "set_$nset=\$1"
        ;;
    *) die "--set wants NAME=value, not '$1'" ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
    --dir=* | --imap=* | --imaps=* | --passwd=* | --set=*)
        option=${1%%=*} value=${1#*=}
        shift
        set -- "$option" "$value" "$@"
        ;;
    esac
    case $1 in
    --dir | --imap | --imaps | --passwd | --set)
        [ $# -ge 2 ] || die "$1 needs a value; see --help"
        case $1 in
        --dir) dir=$2 ;;
        --imap) imap=$2 ;;
        --imaps) imaps=$2 ;;
        --passwd) passwd=$2 ;;
        --set) add_set "$2" ;;
        esac
        shift 2
        ;;
    --no-install) install=0; shift ;;
    --no-demo) demo=0; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown option '$1'" ;;
    esac
done
[ -n "$dir" ] || die "--dir needs a name"
case $dir in *[[:cntrl:]]*) die "the name of --dir has a control character in it" ;; esac
if [ -n "$passwd" ]; then
    [ -f "$passwd" ] && [ -r "$passwd" ] || die "$passwd can't be read"
    case $passwd in /*) ;; *) passwd=$PWD/$passwd ;; esac
fi

# ---- stopping ------------------------------------------------------------------------------------
# SIGINT from a terminal reaches everything at once, SIGTERM only this shell: it passes it on.
mains='' job='' ready=0
stop() {
    trap '' INT TERM HUP USR1
    trap - EXIT
    # shellcheck disable=SC2086 # words are wanted
    [ -z "$mains$job" ] || kill -TERM $mains $job 2>/dev/null || :
    wait
}
trap stop EXIT
trap 'exit 0' INT TERM HUP

# Waits for a command in such a way that a signal is obeyed at once.
run() {
    "$@" &
    job=$!
    while :; do
        status=0
        wait "$job" || status=$?
        kill -0 "$job" 2>/dev/null || break # else: only a signal was heard
    done
    job=''
    return "$status"
}

# ---- packages ------------------------------------------------------------------------------------
packages='gcc make libc6-dev libev-dev libssl-dev libcrypt-dev libutf8proc-dev libcurl4-openssl-dev libhiredis-dev libjansson-dev libargon2-dev openssl python3'
missing=''
if [ "$install" = 1 ] && command -v dpkg-query >/dev/null 2>&1; then
    for p in $packages; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
    done
fi
if [ -n "$missing" ]; then
    say "installing:$missing"
    as_root='env'
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 ||
            die "packages are missing and there is no sudo: as root: apt-get install$missing"
        as_root='sudo env'
    fi
    apt="$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120"
    # shellcheck disable=SC2086 # words are wanted
    { $apt update && $apt install -y --no-install-recommends $missing; } >/dev/null ||
        die "apt-get failed; run it by hand: apt-get install$missing"
fi
python=/usr/bin/python3
[ -x "$python" ] || python=python3
for tool in make openssl "$python"; do
    command -v "$tool" >/dev/null 2>&1 || die "$tool is missing: apt-get install $packages"
done

# ---- build ---------------------------------------------------------------------------------------
build=$top/build/gcc
if make -C "$top" -s -q CC=gcc all >/dev/null 2>&1; then
    say "the build in $build is up to date"
else
    say "building in $build"
    [ -w "$top" ] || die "you can't write to $top: let its owner run make there first"
    run make -C "$top" -s CC=gcc -j"$(nproc 2>/dev/null || echo 2)" all >/dev/null ||
        die "the build failed: make -C $top"
fi
bin=$build/bin

# ---- settings, certificate, account --------------------------------------------------------------
umask 077
mkdir -p "$dir" && dir=$(cd "$dir" && pwd) || die "$dir can't be made"
mkdir -p "$dir/etc" "$dir/mail" "$dir/cache"
conf=$dir/etc/posthouse.conf
log=$dir/log
run=$dir/run
# A socket's path has at most 107 bytes.
if [ "$(printf '%s' "$run" | wc -c)" -gt 85 ]; then
    run=/tmp/posthouse-$(id -u)-$(printf '%s' "$dir" | cksum | cut -d' ' -f1)
fi
mkdir -p "$run"
exec 9>"$dir/lock"
flock -n 9 || die "another quickstart.sh runs in $dir; stop it, or choose another --dir"

cert=$dir/etc/tls.pem
if [ ! -s "$cert" ]; then
    say "making a self-signed certificate: $cert"
    rm -f "$cert"
    "$bin/posthousectl" -C /dev/null mkcert -f "$cert" >/dev/null || die "no certificate could be made"
fi
if [ -z "$passwd" ] && [ ! -e "$dir/etc/passwd" ]; then
    say "making the account demo, password demo: $dir/etc/passwd"
    printf 'demo:%s::::::\n' "$(openssl passwd -6 demo)" >"$dir/etc/passwd"
fi

quoted() { printf '%s="%s"\n' "$1" "$(printf '%s' "$2" | sed 's/[\\"$`]/\\&/g')"; }
if [ ! -e "$conf" ]; then
    say "writing the settings: $conf"
    {
        printf '# Made by deploy/quickstart.sh. All names: posthouse.conf(5), conf/posthouse.conf.\n'
        printf 'ADDRESS=127.0.0.1\nPORT=%s\nSSLADDRESS=127.0.0.1\nSSLPORT=%s\n' "${imap:-1143}" "${imaps:-1993}"
        quoted RUNDIR "$run"
        quoted CACHEDIR "$dir/cache"
        quoted TLS_CERTFILE "$cert"
        quoted PASSWD_FILE "$dir/etc/passwd"
        quoted MAIL_HOME "$(printf '%s' "$dir" | sed 's/%/%%/g')/mail/%u"
        if [ "$(id -u)" = 0 ]; then
            # No system users are made for a try-out: numbers will do.
            printf 'MAIL_UID=61900\nMAIL_GID=61900\nLOGIN_USER=61901\nAUTH_USER=61902\nNOTIFY_USER=61903\n'
        else
            printf 'MAIL_UID=%s\nMAIL_GID=%s\n' "$(id -u)" "$(id -g)"
        fi
    } >"$conf.new"
    mv "$conf.new" "$conf"
fi

set -- -C "$conf"
[ -z "$imap" ] || set -- "$@" --set "PORT=$imap"
[ -z "$imaps" ] || set -- "$@" --set "SSLPORT=$imaps"
[ -z "$passwd" ] || set -- "$@" --set "PASSWD_FILE=$passwd"
i=0
while [ $i -lt $nset ]; do
    i=$((i + 1))
    eval "set -- \"\$@\" --set \"\$set_$i\""
done
if ! fault=$("$bin/frontend" --check "$@" 2>&1 >/dev/null); then
    say "$fault" >&2
    die "the settings are not right (see above); nothing was started"
fi
settings=$("$bin/frontend" --print-settings "$@" 2>/dev/null)
effective() { printf '%s\n' "$settings" | sed -n "s/^$1=//p"; }
imap=$(effective PORT) imaps=$(effective SSLPORT) accounts=${passwd:-$dir/etc/passwd}
mail_uid=$(effective MAIL_UID) mail_gid=$(effective MAIL_GID)
for p in "$imap" "$imaps"; do
    case $p in '' | *[!0-9]*) die "'$p' is not a port number: give --imap PORT and --imaps PORT" ;; esac
done
[ "$imap" -ne "$imaps" ] || die "--imap and --imaps are the same port, $imap"
"$python" "$top/deploy/demo.py" ports "$imap" "$imaps" || exit 1

# The processes that serve mail are not root's: the way to it must be open, and the mail theirs.
open_the_way() {
    chmod a+x "$dir" "$run" "$dir/mail"
    up=$(dirname "$dir")
    while [ "$up" != / ]; do
        case $(stat -c '%A %u' "$up") in
        *[xt]' '*) ;;
        *' 0')
            case $up in
            /tmp/* | /var/tmp/*) say "opening the way to the mail: chmod o+x $up" && chmod o+x "$up" ;;
            *) die "uid $mail_uid, which serves the mail, can't pass through $up: choose another --dir" ;;
            esac
            ;;
        *) die "uid $mail_uid, which serves the mail, can't pass through $up: choose another --dir, or don't be root" ;;
        esac
        up=$(dirname "$up")
    done
}
give_mail() {
    for home in "$dir"/mail/*; do
        [ -d "$home" ] || continue
        ids=$(awk -F: -v user="${home##*/}" -v uid="$mail_uid" -v gid="$mail_gid" '
            $1 == user { if ($3 != "") uid = $3; if ($4 != "") gid = $4; exit }
            END { print uid ":" (gid == "" ? uid : gid) }' "$accounts")
        case $ids in :*) continue ;; esac
        find "$home" -uid 0 -exec chown -h "$ids" {} +
    done
    # New accounts' homes are made by the mail account itself.
    [ -z "$mail_uid" ] || chown "$mail_uid:${mail_gid:-$mail_uid}" "$dir/mail"
}
if [ "$(id -u)" = 0 ]; then
    open_the_way
    give_mail
fi

# ---- run -----------------------------------------------------------------------------------------
# Each main restarts its own children; a main that ends is started again here.
keep_running() {
    main='' ending=0
    trap 'ending=1; [ -z "$main" ] || kill -TERM "$main" 2>/dev/null || :' TERM INT HUP
    trap - EXIT
    while [ $ending = 0 ]; do
        begin=$(date +%s) status=0
        "$@" >>"$log" 2>&1 9>&- &
        main=$!
        # A signal that came before $main was known has killed nothing yet.
        [ $ending = 0 ] || kill -TERM "$main" 2>/dev/null || :
        while :; do
            status=0
            wait "$main" || status=$?
            kill -0 "$main" 2>/dev/null || break
        done
        main=''
        [ $ending = 0 ] || break
        # One that gives up at once at the very start will not do better the next time.
        [ "$status" -ge 128 ] || kill -USR1 $$ 2>/dev/null || :
        printf 'quickstart: %s ended with status %d; starting it again\n' "${1##*/}" "$status" >&2
        if [ $(($(date +%s) - begin)) -lt 5 ]; then sleep 1 9>&-; else sleep 0.1 9>&-; fi
    done
    exit 0
}
not_started() {
    say "the last lines of $log:" >&2
    tail -n 15 "$log" >&2
    die "$1"
}
trap '[ $ready = 1 ] || not_started "the server does not start"' USR1

# A log of long ago is nobody's.
[ ! -f "$log" ] || [ "$(wc -c <"$log")" -lt 10000000 ] || mv "$log" "$log.old"
say "starting notifyd, backend and frontend; they log to $log"
for name in notifyd backend frontend; do
    keep_running "$bin/$name" "$@" &
    mains="$mains $!"
done

# The account demo can be shown if its password is demo and its mail lies below DIR/mail.
demo_line=$(grep '^demo:' "$accounts" | head -n 1) || :
has_demo=0
case $demo_line in demo:*:*:*:*::*) has_demo=1 ;; esac
if [ $has_demo = 1 ]; then
    status=0
    run "$python" "$top/deploy/demo.py" wait "$imap" "$imaps" demo demo || status=$?
    case $status in
    0) ;;
    3) say "demo with the password demo is refused (AUTHMODULES=$(effective AUTHMODULES)): nothing will be shown with it" && has_demo=0 ;;
    *) not_started "the server takes no logins" ;;
    esac
fi
[ $has_demo = 1 ] || run "$python" "$top/deploy/demo.py" wait "$imap" "$imaps" ||
    not_started "the server takes no logins"
ready=1
if [ $has_demo = 1 ]; then
    say "ready: imap 127.0.0.1:$imap imaps 127.0.0.1:$imaps user demo password demo"
else
    say "ready: imap 127.0.0.1:$imap imaps 127.0.0.1:$imaps"
fi
if [ $demo = 1 ] && [ $has_demo = 1 ]; then
    run "$python" "$top/deploy/demo.py" show "$imap" "$imaps" demo demo "$dir/mail/demo/Maildir" ||
        say "demo: it did not work; the server goes on running, its log is $log"
    say "try: curl -k --user demo:demo 'imaps://127.0.0.1:$imaps/INBOX;MAILINDEX=1'"
    say "try: $bin/posthousectl -C '$conf' who"
fi

alive() {
    for p in $mains; do kill -0 "$p" 2>/dev/null && return 0; done
    return 1
}
while alive; do
    # shellcheck disable=SC2086 # words are wanted
    wait $mains || :
done
die "all that restarts the server was killed"
