# SPDX-License-Identifier: Apache-2.0
"""make bench: this server beside Debian's dovecot-imapd and cyrus-imapd, the same client against each in turn."""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback

import corpus
import handshakes
import servers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


PARALLEL = 8


class Unable(Exception):
    """This server can't do that."""


def say(text):
    print(text, flush=True)


def run_client(server, tls, user, *work):
    """Runs the client; its results, with the server's CPU seconds as "cpu"."""
    before = server.cpu()
    done = subprocess.run(server.client(tls, user, *work), capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise RuntimeError("%s: %s: %s\n%s" % (server.name, " ".join(map(str, work)), done.stderr.strip(), server.log()))
    time.sleep(0.3)  # what the server still does for the last client belongs to it
    found = {k: float(v) for k, v in (line.split() for line in done.stdout.splitlines())}
    found["cpu"] = server.cpu() - before
    return found


# ---- workloads: each returns {column: value}; the first column is what is compared -----------------------------
def login(tls):
    def work(server, size):
        run_client(server, tls, "u%d", "login", size["users"], size["users"])
        r = run_client(server, tls, "u%d", "login", size["logins"], size["users"])
        return {"value": r["cpu"] / size["logins"], "wall": r["wall"] / size["logins"]}
    return work


def first_login(server, size):
    """Each account's first login after the server's start: nothing of the user is running."""
    count = min(server.users, size["cold"])
    run_client(server, False, "u%d", "login", count, count)  # not the first ever: that one makes the index
    server.restart()
    r = run_client(server, True, "u%d", "login", count, count)
    return {"value": r["cpu"] / count, "wall": r["wall"] / count}


def idle(server, size):
    server.restart()
    time.sleep(2)
    before = server.pss()
    users, sessions = size["idle_users"], size["idle_sessions"]
    with subprocess.Popen(server.client(True, "u%d", "idle", users, sessions), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as client:
        wall = float(client.stdout.readline().split()[1])
        if client.stdout.readline().strip() != "ready":
            raise RuntimeError("%s: idle clients\n%s" % (server.name, server.log()))
        time.sleep(size["settle"] + getattr(server, "hibernate", 0) * 2)
        used = server.pss() - before
        client.stdin.close()
    server.restart()  # a thousand ending sessions are no start for what comes next
    return {"value": used / (users * sessions), "wall": wall}


def news(kind, tls):
    def work(server, size):
        how = server.news if kind == "delivery" else kind
        user = "u1" if kind == "delivery" else "u2"
        r = run_client(server, tls, user, "news", how, 20, size["news"], size["news_seconds"], server.maildir(user))
        return {"value": r["median"], "p99": r["p99"], "wall": r["wall"], "times": r["times"],
                "cpu": r["cpu"] / r["times"]}
    return work


def fetch(tls):
    def work(server, size):
        run_client(server, tls, "bodies", "fetch", 1)
        r = run_client(server, tls, "bodies", "fetch", size["fetches"])
        return {"value": r["cpu"] / r["bytes"] * 1e9, "wall": r["wall"] / r["bytes"] * 1e9}
    return work


def run_clients(server, user, number, *work):
    """So many clients at the same time; seconds in all, and the server's CPU seconds."""
    before, begin = server.cpu(), time.monotonic()
    clients = [subprocess.Popen(server.client(False, user, *work), stdout=subprocess.DEVNULL) for _ in range(number)]
    if any([c.wait(900) for c in clients]):
        raise RuntimeError("%s: %s\n%s" % (server.name, " ".join(map(str, work)), server.log()))
    wall = time.monotonic() - begin
    time.sleep(0.3)
    return wall, server.cpu() - before


def login_http(cache):
    """Accounts by an HTTP endpoint, with and without a cache before it. Cyrus can't."""
    def work(server, size):
        if not hasattr(server, "use_http"):
            raise Unable
        with servers.Endpoint() as port:
            server.with_http(port, cache)
            try:
                run_clients(server, "u%d", 1, "login", size["users"], size["users"])
                wall, cpu = run_clients(server, "u%d", PARALLEL, "login", size["logins"], size["users"])
            finally:
                server.with_http(None)
        count = PARALLEL * size["logins"]
        return {"value": cpu / count, "wall": wall / count, "rate": count / wall}
    return work


def login_redis(server, size):
    """Accounts in Redis, nothing cached: each login asks. Cyrus can't."""
    if not hasattr(server, "use_redis"):
        raise Unable
    with servers.redis_server() as redis:
        server.with_redis(redis)
        try:
            run_clients(server, "u%d", 1, "login", size["users"], size["users"])
            wall, cpu = run_clients(server, "u%d", PARALLEL, "login", size["logins"], size["users"])
        finally:
            server.with_redis(None)
    count = PARALLEL * size["logins"]
    return {"value": cpu / count, "wall": wall / count, "rate": count / wall}


# name, unit, its scale, what to reach (issue), work
WORKLOADS = {
    "login-tls": ("TLS 1.3 connect + LOGIN + SELECT (10 messages) + LOGOUT, server CPU", "ms", 1e3, "2x less", login(True)),
    "login": ("the same without TLS", "ms", 1e3, "3x less", login(False)),
    "login-first": ("the same with TLS, the user's first since the start", "ms", 1e3, "", first_login),
    "login-http": ("%d clients at once, without TLS, accounts by HTTP, nothing cached, server CPU" % PARALLEL, "ms", 1e3, "",
                   login_http(False)),
    "login-http-cache": ("the same with each server's cache", "ms", 1e3, "", login_http(True)),
    "login-redis": ("%d clients at once, without TLS, accounts in Redis, nothing cached, server CPU" % PARALLEL, "ms", 1e3, "",
                    login_redis),
    "idle": ("PSS per idle TLS connection", "KB", 1 / 1024, "< 100 KB", idle),
    "delivery": ("rename into new/ to EXISTS at 20 idlers over TLS, median (Cyrus: APPEND)", "ms", 1e3, "< 1 / 5 ms",
                 news("delivery", True)),
    "store": ("STORE in one session to FETCH at 20 idlers over TLS, median", "ms", 1e3, "< 0.5 ms", news("store", True)),
    "fetch": ("FETCH of 1,000 bodies, server CPU per GB, plain", "s", 1, "2x less", fetch(False)),
    "fetch-tls": ("the same over TLS", "s", 1, "2x less", fetch(True)),
}
FULL = {"logins": 400, "users": 20, "cold": 200, "idle_users": 200, "idle_sessions": 5, "settle": 3, "news": 200,
        "news_seconds": 25, "fetches": 100, "handshakes": 10000, "speed_seconds": 3}
QUICK = {"logins": 100, "users": 10, "cold": 20, "idle_users": 20, "idle_sessions": 5, "settle": 1, "news": 50,
         "news_seconds": 10, "fetches": 20, "handshakes": 1000, "speed_seconds": 1}


# ---- the table -------------------------------------------------------------------------------------------------
def spread(values, scale, unit):
    values = sorted(v * scale for v in values)
    middle = statistics.median(values)
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 2
    text = "%.*f %s" % (digits, middle, unit)
    return text + (" (%.*f-%.*f)" % (digits, values[0], digits, values[-1]) if len(values) > 1 else "")


def cell(rounds, unit, scale):
    if not rounds:
        return "-"
    text = spread([r["value"] for r in rounds], scale, unit)
    if "p99" in rounds[0]:
        text += "; p99 " + spread([r["p99"] for r in rounds], scale, unit)
        text += "; CPU " + spread([r["cpu"] for r in rounds], 1e3, "ms")
        text += "; n=%d" % sum(r["times"] for r in rounds)
    elif unit == "KB":
        text += "; all logged in after " + spread([r["wall"] for r in rounds], 1, "s")
    else:
        text += "; wall " + spread([r["wall"] for r in rounds], scale, unit)
    if "rate" in rounds[0]:
        text += "; " + spread([r["rate"] for r in rounds], 1, "logins/s")
    return text


def ratio(results, names):
    """Ours : the better peer."""
    peers = [statistics.median(r["value"] for r in results[n]) for n in names[1:] if results.get(n)]
    if not peers or not results.get(names[0]):
        return "-"
    best = min(peers)
    return "1 : %.1f" % (best / statistics.median(r["value"] for r in results[names[0]]))


def table(results, names):
    yield "| workload | %s | ours : better peer | aim |" % " | ".join(names)
    yield "| --- |%s --- | --- |" % (" --- |" * len(names))
    for key, by_server in results.items():
        title, unit, scale, aim, _ = WORKLOADS[key]
        cells = [cell(by_server.get(n), unit, scale) for n in names]
        yield "| %s | %s | %s | %s |" % (title, " | ".join(cells), ratio(by_server, names), aim)


# ---- running -----------------------------------------------------------------------------------------------------
class Run:
    def __init__(self, options, everyone):
        self.size = QUICK if options.quick else FULL
        self.everyone, self.passed, self.failed = everyone, 0, 0
        self.results = {}

    def one(self, key, server):
        """One workload against one server; counts it."""
        title, unit, scale, _, work = WORKLOADS[key]
        try:
            r = work(server, self.size)
        except Unable:
            return
        except Exception:  # any fault counts, and the others go on
            traceback.print_exc()
            self.failed += 1
            server.restart()
            return
        self.passed += 1
        self.results.setdefault(key, {}).setdefault(server.name, []).append(r)
        say("  %-12s %-10s %s" % (key, server.name, cell([r], unit, scale)))

    def all(self, keys, rounds):
        for number in range(rounds):
            say("bench: round %d of %d" % (number + 1, rounds))
            for key in keys:
                for server in self.everyone:
                    self.one(key, server)

    def handshakes(self):
        """A table of its own, since its peer is OpenSSL alone."""
        ours = [s for s in self.everyone if s.name == "posthouse"]
        try:
            lines = handshakes.measure(ours[0], self.size["handshakes"], self.size["speed_seconds"]) if ours else []
        except Exception:  # counts like any other
            traceback.print_exc()
            self.failed += 1
            return []
        self.passed += len(ours)
        return lines

    def hibernated(self):
        """Dovecot with imap_hibernate_timeout: its idle memory once more, said as a line of its own."""
        for server in self.everyone:
            if server.name == "dovecot":
                server.hibernate = 5
                r = idle(server, self.size)
                say("  dovecot with imap_hibernate_timeout: %.0f KB" % (r["value"] / 1024))
                server.hibernate = 0
                server.restart()
                return r["value"] / 1024
        return None


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return "%d x %s, Linux %s" % (os.cpu_count(), model[0] if model else "?", os.uname().release)


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--quick", action="store_true", help="this server alone, shorter")
    p.add_argument("--rounds", type=int, default=0)
    p.add_argument("--servers", default="posthouse,dovecot,cyrus")
    p.add_argument("--work", default=",".join(WORKLOADS) + ",handshakes")
    p.add_argument("--cache", default=os.environ.get("POSTHOUSE_BENCH_CACHE", "/var/tmp/posthouse-bench"))
    p.add_argument("--report", default=os.path.join(TOP, "build", "bench.md"))
    options = p.parse_args()
    if options.quick:
        options.servers = "posthouse"
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def make_servers(options, mail, everyone):
    users = 20 if options.quick else 200
    made = {"posthouse": lambda: servers.Posthouse(users, mail),
            "dovecot": lambda: servers.Dovecot(users, mail, options.cache),
            "cyrus": lambda: servers.Cyrus(users, mail, options.cache)}
    for name in options.servers.split(","):
        say("bench: filling and starting %s" % name)
        everyone.append(made[name]())
        everyone[-1].start()


def main():
    options = arguments()
    names = options.servers.split(",")
    if len(names) > 1 or names[0] != "posthouse":
        subprocess.run([os.path.join(TOP, "tests/bench/peers"), options.cache], check=True)
    everyone = []
    with tempfile.TemporaryDirectory(prefix="ph-bench.") as temp:
        say("bench: making the corpus")
        mail = corpus.make(os.path.join(temp, "mail"))
        try:
            make_servers(options, mail, everyone)
            run, how = Run(options, everyone), everyone[0].group.how
            run.all([w for w in options.work.split(",") if w != "handshakes"], options.rounds)
            shaken = run.handshakes() if "handshakes" in options.work.split(",") else []
            hibernated = run.hibernated() if "idle" in options.work.split(",") else None
        finally:
            for server in everyone:
                server.stop()
    lines = ["%s; %s; %d round(s), median (min-max); server CPU by %s." % (
        time.strftime("%Y-%m-%d"), machine(), options.rounds, how), ""]
    lines += table(run.results, names)
    lines += ["", *shaken] if shaken else []
    if hibernated:
        lines += ["", "Dovecot with imap_hibernate_timeout: %.0f KB per idle TLS connection." % hibernated]
    say("")
    say("\n".join(lines))
    os.makedirs(os.path.dirname(options.report), exist_ok=True)
    with open(options.report, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    say("%d passed, %d failed" % (run.passed, run.failed))
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
