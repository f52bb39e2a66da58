#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds Posthouse and runs it on 127.0.0.1 with a demo account.
set -eu

usage() {
    cat <<'EOF'
usage: deploy/quickstart.sh [--dir DIR] [--imap PORT] [--imaps PORT] [--passwd FILE]
                            [--set NAME=value]... [--no-install] [--no-demo]

  --dir DIR        settings (DIR/etc/posthouse.conf) and mail (DIR/mail/USER/Maildir); kept between
                   runs. Default: ~/.posthouse
  --imap PORT      IMAP with STARTTLS (default 1143)
  --imaps PORT     IMAP over TLS (default 1993)
  --passwd FILE    accounts, as user:hash:uid:gid:gecos:home:shell:options (default: DIR/etc/passwd,
                   made with the account "demo", password "demo")
  --set NAME=value a setting of posthouse.conf(5) for this run; may be repeated
  --no-install     install no packages
  --no-demo        run only; without showing a delivery reach a client in IDLE

Runs in the foreground until SIGINT or SIGTERM, then stops all it started.
EOF
}

say() { printf '%s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

top=$(cd "$(dirname "$0")/.." && pwd)
dir=${HOME:-/tmp}/.posthouse imap=1143 imaps=1993 passwd='' install=1 demo=1
nset=0
while [ $# -gt 0 ]; do
    case $1 in
    --dir | --imap | --imaps | --passwd | --set)
        [ $# -ge 2 ] || die "$1 needs a value; see --help"
        case $1 in
        --dir) dir=$2 ;;
        --imap) imap=$2 ;;
        --imaps) imaps=$2 ;;
        --passwd) passwd=$2 ;;
        --set)
            case $2 in *=*) ;; *) die "--set wants NAME=value, not '$2'" ;; esac
            nset=$((nset + 1))
            eval "set_$nset=\$2"
            ;;
        esac
        shift 2
        ;;
    --no-install) install=0; shift ;;
    --no-demo) demo=0; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown option '$1'" ;;
    esac
done
for p in "$imap" "$imaps"; do
    case $p in '' | *[!0-9]*) die "'$p' is not a port number" ;; esac
    [ "$p" -ge 1 ] && [ "$p" -le 65535 ] || die "port $p is out of range"
done
[ -z "$passwd" ] || [ -r "$passwd" ] || die "$passwd can't be read"
case $passwd in '' | /*) ;; *) passwd=$PWD/$passwd ;; esac

# ---- packages ------------------------------------------------------------------------------------
packages='gcc make libc6-dev libev-dev libssl-dev libcrypt-dev libutf8proc-dev openssl python3'
if [ "$install" = 1 ] && command -v dpkg-query >/dev/null 2>&1; then
    missing=''
    for p in $packages; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
    done
    if [ -n "$missing" ]; then
        say "installing:$missing"
        as_root=''
        if [ "$(id -u)" != 0 ]; then
            command -v sudo >/dev/null 2>&1 || die "these packages are missing and there is no sudo: run as root: apt-get install$missing"
            as_root=sudo
        fi
        # shellcheck disable=SC2086 # words are wanted
        { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing; } >/dev/null ||
            die "apt-get failed; run it by hand: apt-get install$missing"
    fi
fi

# ---- build ---------------------------------------------------------------------------------------
say "building in $top/build"
make -C "$top" -s CC=gcc -j"$(nproc 2>/dev/null || echo 2)" all >/dev/null || die "the build failed: make -C $top"
bin=$top/build/gcc/bin

# ---- settings, certificate, account --------------------------------------------------------------
umask 077
mkdir -p "$dir" && dir=$(cd "$dir" && pwd) || die "$dir can't be made"
mkdir -p "$dir/etc" "$dir/mail" "$dir/cache"
run=$dir/run
# A socket's path has at most 107 bytes.
if [ ${#run} -gt 80 ]; then
    run=/tmp/posthouse-$(id -u)-$(printf '%s' "$dir" | cksum | cut -d' ' -f1)
fi
mkdir -p "$run"

cert=$dir/etc/tls.pem
if [ ! -s "$cert" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$cert.key" -out "$cert.crt" 2>/dev/null ||
        die "openssl could not make a certificate"
    cat "$cert.crt" "$cert.key" >"$cert"
    rm -f "$cert.crt" "$cert.key"
fi
accounts=${passwd:-$dir/etc/passwd}
if [ ! -e "$accounts" ]; then
    printf 'demo:%s::::::\n' "$(openssl passwd -6 demo)" >"$accounts"
fi
if [ ! -e "$dir/etc/posthouse.conf" ]; then
    {
        printf '# Made by deploy/quickstart.sh. All names: posthouse.conf(5), conf/posthouse.conf.\n'
        printf 'ADDRESS=127.0.0.1\nSSLADDRESS=127.0.0.1\nRUNDIR=%s\nCACHEDIR=%s\n' "$run" "$dir/cache"
        printf 'TLS_CERTFILE=%s\nMAIL_HOME=%s/mail/%%u\n' "$cert" "$dir"
        if [ "$(id -u)" = 0 ]; then
            # No system users are made for a try-out: numbers will do.
            printf 'MAIL_UID=61900\nMAIL_GID=61900\nLOGIN_USER=61901\nAUTH_USER=61902\nNOTIFY_USER=61903\n'
        else
            printf 'MAIL_UID=%s\nMAIL_GID=%s\n' "$(id -u)" "$(id -g)"
        fi
    } >"$dir/etc/posthouse.conf"
fi
if [ "$(id -u)" = 0 ]; then
    # What was put into DIR/mail as root belongs to the mail account; the way there must be open.
    mail_uid=$(sed -n 's/^MAIL_UID=//p' "$dir/etc/posthouse.conf" | tail -n1)
    chmod a+x "$dir" "$run"
    if [ -n "$mail_uid" ]; then
        find "$dir/mail" -uid 0 -exec chown -h "$mail_uid:$mail_uid" {} +
    fi
    chmod a+x "$dir/mail"
fi

set -- -C "$dir/etc/posthouse.conf" --set "PORT=$imap" --set "SSLPORT=$imaps" --set "PASSWD_FILE=$accounts"
i=0
while [ $i -lt $nset ]; do
    i=$((i + 1))
    eval "set -- \"\$@\" --set \"\$set_$i\""
done
"$bin/frontend" --check "$@" || die "the settings are not right; see above"

# ---- run -----------------------------------------------------------------------------------------
# Each main restarts its own children; a main that ends is started again here.
keep_running() {
    child=''
    trap 'trap "" TERM INT; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null; wait; exit 0' TERM INT
    while :; do
        "$@" &
        child=$!
        wait "$child" || :
        child=''
        sleep 0.1
    done
}
mains=''
stop() {
    trap '' INT TERM
    # shellcheck disable=SC2086
    [ -z "$mains" ] || kill -TERM $mains 2>/dev/null || :
    [ -z "${show:-}" ] || kill -TERM "$show" 2>/dev/null || :
    wait
}
trap 'stop; exit 0' INT TERM
for main in notifyd backend frontend; do
    keep_running "$bin/$main" "$@" &
    mains="$mains $!"
done

has_demo=0
if grep -q '^demo:' "$accounts" && [ -z "$passwd" ]; then has_demo=1; fi
account=''
[ $has_demo = 0 ] || account='demo demo'
# shellcheck disable=SC2086
/usr/bin/python3 "$top/deploy/demo.py" wait "$imap" "$imaps" $account &
show=$!
wait "$show" || { stop; die "the server does not take logins; its log is above"; }
show=''
if grep -q '^demo:' "$accounts"; then
    say "ready: imap 127.0.0.1:$imap imaps 127.0.0.1:$imaps user demo password demo"
else
    say "ready: imap 127.0.0.1:$imap imaps 127.0.0.1:$imaps"
fi
if [ $demo = 1 ] && [ $has_demo = 1 ]; then
    say "connect with: curl -k --user demo:demo imaps://127.0.0.1:$imaps/INBOX"
    /usr/bin/python3 "$top/deploy/demo.py" show "$imap" "$imaps" demo demo "$dir/mail/demo/Maildir" &
    show=$!
    wait "$show" || say "the demonstration did not work; the server goes on running"
    show=''
fi
# shellcheck disable=SC2086
while :; do wait $mains || :; done
