# SPDX-License-Identifier: Apache-2.0
"""Full TLS 1.3 handshakes per CPU second of the login worker, beside what `openssl speed` says of the same curves."""
import os
import re
import subprocess

CURVE, EXCHANGE = "ecdsap256", "ecdhx25519"  # of the test's certificate; what clients choose


def cpu_of(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def speed(name, seconds):
    """Operations per CPU second: signatures, or key exchanges."""
    out = subprocess.run(["openssl", "speed", "-seconds", str(seconds), name], capture_output=True, text=True,
                         check=True).stdout.splitlines()[-1]
    return float(re.findall(r"[0-9.]+", out)[-2 if "ecdsa" in name else -1])


def measure(server, times, seconds):
    """The lines of the table; server: a started servers.Posthouse."""
    pids = server.server.pids("login")
    signs, exchanges = speed(CURVE, seconds), speed(EXCHANGE, seconds)
    subprocess.run(server.client(True, "u0", "handshake", 100), check=True, capture_output=True)
    before = sum(map(cpu_of, pids))
    subprocess.run(server.client(True, "u0", "handshake", times), check=True, capture_output=True)
    ours = times / (sum(map(cpu_of, pids)) - before)
    done = subprocess.run(server.client(True, "u0", "memory", times // 4), check=True, capture_output=True, text=True)
    library = 1 / float(done.stdout.split()[1])
    # The server signs once, makes one key and derives one secret; the two cost about the same.
    crypto = 1 / (1 / signs + 2 / exchanges)
    return ["| TLS 1.3, full handshakes, P-256 and X25519 | per CPU second |", "| --- | --- |",
            "| login worker: accept, handshake, greeting, close (n=%d) | %.0f |" % (times, ours),
            "| OpenSSL with itself in memory, the server's calls alone | %.0f |" % library,
            "| openssl speed: P-256 signatures; X25519 operations | %.0f; %.0f |" % (signs, exchanges),
            "| one signature and two X25519 operations | %.0f |" % crypto,
            "| ours : OpenSSL in memory; ours : public-key operations | %.2f; %.2f |" % (ours / library, ours / crypto)]
