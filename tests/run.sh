#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds with gcc and clang, runs every test; ends with
# "N passed, N failed". Longer forms: make soak, make fuzz-smoke FUZZ_SECONDS=600, make bench.
set -u
cd "$(dirname "$0")/.." || exit 1

packages="gcc clang make libc6-dev libev-dev libssl-dev libcrypt-dev libutf8proc-dev libcurl4-openssl-dev
    libhiredis-dev libjansson-dev libargon2-dev libcmocka-dev libclang-rt-14-dev llvm-14 openssl python3 python3-pytest python3-pytest-xdist
    python3-fusepy fuse3 procps strace curl isync neomutt expect maildrop postfix shellcheck mandoc git
    redis-server redis-sentinel nginx libnginx-mod-mail haproxy fail2ban gnutls-bin
    courier-authdaemon courier-authlib-userdb courier-authlib-pipe gsasl libsasl2-modules python3-jwt python3-cryptography
    libgdbm6 libidn12 libunwind8 msmtp faketime iproute2 e2fsprogs"
missing=""
for p in $packages; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
    echo "installing:$missing"
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq >/dev/null
    # shellcheck disable=SC2086 # words are wanted
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>/tmp/apt.$$ || {
        cat /tmp/apt.$$
        echo "apt-get failed; the tests need: $missing"
    }
fi

passed=0
failed=0
summary=""
# step NAME COMMAND...: a step that prints "N passed, N failed" (or pytest's summary) counts its tests,
# any other counts as one.
step() {
    local name=$1 out rc p f begin=$SECONDS
    shift
    out=$(mktemp)
    echo "== $name"
    "$@" >"$out" 2>&1
    rc=$?
    p=$(grep -Eo '[0-9]+ passed' "$out" | tail -n1 | cut -d' ' -f1)
    f=$(grep -Eo '[0-9]+ (failed|error)' "$out" | tail -n1 | cut -d' ' -f1)
    if [ -z "$p" ] && [ -z "$f" ]; then
        if [ $rc -eq 0 ]; then p=1; else f=1; fi
    fi
    p=${p:-0}
    f=${f:-0}
    [ $rc -eq 0 ] || [ "$f" -gt 0 ] || f=1
    if [ $rc -ne 0 ] || [ "$f" -gt 0 ]; then tail -n 150 "$out"; fi
    rm -f "$out"
    passed=$((passed + p))
    failed=$((failed + f))
    printf '   %s: %d passed, %d failed, %d s\n' "$name" "$p" "$f" $((SECONDS - begin))
    summary="$summary$name $p/$f; "
}

jobs=$(nproc)
step "build with gcc" make -s -j"$jobs" all
step "build with clang" make -s CC=clang -j"$jobs" all
step "units" make -s -j"$jobs" check
step "shell scripts" shellcheck -S warning deploy/quickstart.sh tests/run.sh tests/bare-debian.sh tests/unit/run tests/fuzz/run tests/lint/layers tests/lint/settings .ci/run
step "units under ASan and UBSan" make -s -j"$jobs" check-asan
step "fuzzing, a few seconds each" make -s -j"$jobs" fuzz-smoke FUZZ_SECONDS=3
# Tests wait more than they work: some at a time, each file's in one process.
e2e="/usr/bin/python3 -m pytest -q --maxfail=20 -n $((jobs + 1)) --dist loadfile tests/e2e"
step "end to end" $e2e
# The daemons can't be traced: leaks are looked for in the units alone. A small quarantine: some measure memory.
step "end to end under ASan and UBSan" env POSTHOUSE_BIN="$PWD/build/gcc-san/bin" ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=4 \
    $e2e -m "not slow"
step "benchmark, short" make -s bench-quick
echo "$summary"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
