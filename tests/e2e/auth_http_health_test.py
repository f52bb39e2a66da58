# SPDX-License-Identifier: Apache-2.0
"""HTTP endpoints that are slow, dead, back again, or many (U4, N10, B18)."""
import concurrent.futures
import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest

from auth_http_test import QUICK, http_front, no, says, yes
from lib.endpoint import Endpoint, page
from lib.front import Front
from lib.server import BIN, ROOT, make_certificate, wait_for


def try_login(front, user="demo", password="secret"):
    """Status and code of a login's answer: "OK", "NO [UNAVAILABLE]"."""
    with front.client() as c:
        reply = c.cmd("LOGIN %s %s" % (user, password))
    return "OK" if reply.ok else "NO " + reply.text.split(" ")[0]


def many(front, n, at_once=8):
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda i: try_login(front, "u%d" % i), range(n)))


# ---- connections --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings, kept", [
    ({"HTTP_AUTH_FORMAT": "json"}, True), ({"HTTP_AUTH_KEEPALIVE": 1}, True), ({}, False)])
def test_connections_are_kept(settings, kept):
    answer = yes() if "HTTP_AUTH_FORMAT" in settings else says()
    with Endpoint(lambda request: answer) as endpoint, http_front(endpoint, **settings) as front:
        assert {try_login(front) for _ in range(20)} == {"OK"}
        assert (endpoint.connections, len(endpoint.requests)) == (1 if kept else 20, 20)


def test_requests_under_way_are_bounded():
    now, most, lock = [0], [0], threading.Lock()

    def answer(request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return says()
    with Endpoint(answer) as endpoint, http_front(endpoint, HTTP_AUTH_MAX_CALLS=3) as front:
        assert set(many(front, 30, 30)) == {"OK"}
    assert most[0] == 3


def test_a_herd_makes_one_request():
    gate = threading.Event()

    def answer(request):
        gate.wait(10)
        return says()
    number = 1000 if os.environ.get("POSTHOUSE_LONG") else 200
    with Endpoint(answer) as endpoint, \
            http_front(endpoint, modules="passwd-file http", AUTH_CACHE_SIZE=1000, MAXPERIP=0) as front:
        clients = [front.client() for _ in range(number)]
        tags = [c.start("LOGIN herd secret") for c in clients]
        wait_for("the request", lambda: endpoint.requests)
        assert try_login(front, "demo", "demo") == "OK"  # behind them, on the same worker's link
        gate.set()
        assert all(c.finish(tag).ok for c, tag in zip(clients, tags))
        assert len(endpoint.requests) == 1
        for c in clients:
            c.close()


# ---- slow and dead ------------------------------------------------------------------------------------------------
def silent(request):
    request.sock.recv(1)


def test_slow_endpoint_is_unavailable_in_time():
    with Endpoint(silent) as endpoint, \
            http_front(endpoint, modules="passwd-file http", HTTP_AUTH_TIMEOUT=1000) as front, front.client() as slow:
        begin = time.monotonic()
        tag = slow.start("LOGIN other secret")
        wait_for("the request", lambda: endpoint.requests)
        # whom passwd-file knows doesn't wait
        assert try_login(front, "demo", "demo") == "OK" and time.monotonic() - begin < 1
        reply = slow.finish(tag)
        assert reply.text.startswith("[UNAVAILABLE]") and 0.9 < time.monotonic() - begin < 5


def stats(front):
    out = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", front.conf, "stats", "--json"], capture_output=True,
                         check=False).stdout
    return {row["name"]: int(row["value"]) for row in json.loads(out) if row["daemon"] == "frontend"}


def test_slow_endpoint_delays_nobody_else():
    """A hundred logins wait five seconds for an endpoint; those whom another provider knows log in meanwhile, and the
    login worker's loop goes round. -s shows the figures."""
    with Endpoint(lambda request: time.sleep(5) or says()) as endpoint, \
            http_front(endpoint, modules="passwd-file http", HTTP_AUTH_TIMEOUT=20000, HTTP_AUTH_MAX_CALLS=200) as front:
        waiting = [front.client() for _ in range(100)]
        stats(front)  # the longest turn, from here on
        tags = [c.start("LOGIN slow%d secret" % i) for i, c in enumerate(waiting)]
        wait_for("the requests", lambda: len(endpoint.requests) == 100)
        times = []
        for _ in range(200):
            begin = time.monotonic()
            assert try_login(front, "demo", "demo") == "OK"
            times.append((time.monotonic() - begin) * 1000)
        times.sort()
        now = stats(front)
        print("other logins: median %.1f ms, p99 %.1f ms; longest turn of the loops: login %d us, authd %d us" % (
            times[100], times[197], now["login.1.worst_turn_us"], now["authd.0.worst_turn_us"]))
        assert all(c.finish(tag).ok for c, tag in zip(waiting, tags))
        for c in waiting:
            c.close()
    assert times[100] < 1000


def test_dead_endpoint_costs_nothing_and_comes_back():
    with Endpoint(lambda request: says()) as endpoint, \
            http_front(endpoint, HTTP_AUTH_TIMEOUT=30000, HTTP_AUTH_REST_MAX=1000) as front:
        assert try_login(front) == "OK"
        endpoint.stop()
        assert {try_login(front) for _ in range(50)} == {"NO [UNAVAILABLE]"}
        assert front.log().count("http endpoint rests") == 1
        time.sleep(1.5)  # its rests are at their longest
        endpoint.start()
        begin = time.monotonic()
        wait_for("a login", lambda: try_login(front) == "OK", 10)
        assert time.monotonic() - begin < 2
        assert endpoint.probes >= 1 and "http endpoint is back" in front.log()


def test_endpoint_that_stumbles_over_one_login_serves_others():
    def answer(request):
        return page("500 No") if request.text("auth-user").startswith(b"bad") else says()
    with Endpoint(answer) as endpoint, http_front(endpoint, HTTP_AUTH_REST_MAX=60000) as front:
        for i in range(20):
            assert try_login(front, "bad%d" % i) == "NO [UNAVAILABLE]"
            assert try_login(front, "good%d" % i) == "OK"
        assert "http endpoint rests" not in front.log()


def test_endpoint_that_only_stumbles_rests():
    with Endpoint(lambda request: page("500 No")) as endpoint, http_front(endpoint, HTTP_AUTH_REST_MAX=60000) as front:
        assert {try_login(front, "u%d" % i) for i in range(20)} == {"NO [UNAVAILABLE]"}
        # three of them went there, and one behind each probe
        assert 3 <= len(endpoint.requests) <= 3 + endpoint.probes


def test_outage_under_load():
    """Nobody is told that a password is wrong: who was known gets in, others hear of a pause, and when the endpoint is back
    all is well within two seconds."""
    seconds = 60 if os.environ.get("POSTHOUSE_LONG") else 2
    with Endpoint(lambda request: says()) as endpoint, \
            http_front(endpoint, AUTH_CACHE_SIZE=10000, AUTH_CACHE_TTL=1, HTTP_AUTH_REST_MAX=1000) as front:
        known = ["known%d" % i for i in range(20)]
        assert {try_login(front, user) for user in known} == {"OK"}
        time.sleep(1.1)  # what is kept is out of date now
        endpoint.stop()
        stop, seen = threading.Event(), {"known": [], "new": []}

        def knock(kind, number):
            for i in range(10 ** 6):
                if stop.is_set():
                    break
                user = known[(i + number) % 20] if kind == "known" else "new%d.%d" % (number, i)
                seen[kind].append((time.monotonic(), try_login(front, user)))
                time.sleep(0.04)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for number in range(2):
                pool.submit(knock, "known", number)
                pool.submit(knock, "new", number)
            time.sleep(seconds)
            endpoint.start()
            back = time.monotonic()
            time.sleep(3)
            stop.set()
        assert {answer for _, answer in seen["known"]} == {"OK"}
        assert {answer for at, answer in seen["new"] if at < back} == {"NO [UNAVAILABLE]"}
        assert {answer for at, answer in seen["new"] if at > back + 2} == {"OK"}
        assert len(seen["known"]) + len(seen["new"]) > 20 * seconds and "reason=mismatch" not in front.log()


# ---- several --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("order", ["rotate", "first"])
def test_order(order):
    with Endpoint(lambda request: says()) as a, Endpoint(lambda request: says()) as b, \
            http_front(a, b, HTTP_AUTH_ORDER=order) as front:
        assert set(many(front, 20, 1)) == {"OK"}
        assert (len(a.requests), len(b.requests)) == ((10, 10) if order == "rotate" else (20, 0))


def test_one_of_two_dies_and_comes_back():
    with Endpoint(lambda request: says()) as a, Endpoint(lambda request: says()) as b, \
            http_front(a, b, HTTP_AUTH_REST_MAX=200) as front:
        stop, seen = threading.Event(), []

        def keep_logging_in(number):
            while not stop.is_set():
                seen.append(try_login(front, "u%d" % number))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for number in range(4):
                pool.submit(keep_logging_in, number)
            wait_for("logins", lambda: len(seen) > 20)
            a.stop()
            before = len(seen)
            wait_for("logins without a", lambda: len(seen) > before + 40)
            a.start()
            a.requests.clear()
            wait_for("requests to a", lambda: len(a.requests) > 5)
            stop.set()
        assert set(seen) == {"OK"}
        assert front.log().count("http endpoint rests") == 1


@pytest.mark.parametrize("fault", [silent, lambda request: page("502 No"), lambda request: page(), lambda request: b""])
def test_second_try_at_another(fault):
    with Endpoint(fault) as bad, Endpoint(lambda request: says()) as good, \
            http_front(bad, good, HTTP_AUTH_ORDER="first", HTTP_AUTH_TIMEOUT=2000) as front:
        assert try_login(front) == "OK"
        assert len(bad.requests) == len(good.requests) == 1


def test_a_refusal_is_not_tried_elsewhere():
    with Endpoint(lambda request: says("No")) as a, Endpoint(lambda request: says()) as b, \
            http_front(a, b, HTTP_AUTH_ORDER="first") as front:
        assert try_login(front) == "NO [AUTHENTICATIONFAILED]" and not b.requests


def test_hedge():
    with Endpoint(silent) as slow, Endpoint(lambda request: says()) as quick, \
            http_front(slow, quick, HTTP_AUTH_ORDER="first", HTTP_AUTH_HEDGE=50, HTTP_AUTH_TIMEOUT=60000) as front:
        begin = time.monotonic()
        assert try_login(front) == "OK" and time.monotonic() - begin < 10
        assert len(slow.requests) == len(quick.requests) == 1


def test_login_that_was_given_up_takes_its_request_with_it():
    gone = threading.Event()

    def answer(request):
        if not request.sock.recv(1):
            gone.set()
    with Endpoint(answer) as endpoint, http_front(endpoint, HTTP_AUTH_TIMEOUT=600000, AUTH_TIMEOUT=1, LOGIN_PENALTY_MAX=0) as front:
        assert try_login(front) == "NO [UNAVAILABLE]"
        assert gone.wait(10)


# ---- names and TLS --------------------------------------------------------------------------------------------------
def test_names_are_looked_up():
    name = socket.gethostname()
    try:
        address = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM)[0][4][0]
    except OSError:
        pytest.skip("this host doesn't know its own name")
    with Endpoint(lambda request: says(), address=address) as endpoint, \
            http_front("http://nowhere.invalid/x http://%s:%d/auth" % (name, endpoint.port),
                       HTTP_AUTH_ORDER="first") as front:
        assert try_login(front) == "OK"
        assert endpoint.requests[0].headers["host"] == name.encode()


@pytest.mark.skipif(not ROOT, reason="needs a mount namespace of its own")
def test_name_server_that_is_silent_stops_nobody(tmp_path):
    """libc waits 30 s for it; nobody here does."""
    resolv = tmp_path / "resolv.conf"
    address = "127.53.%d.%d" % (os.getpid() // 250 % 250, 1 + os.getpid() % 250)
    resolv.write_text("nameserver " + address + "\noptions timeout:30 attempts:1\n")

    class Alone(Front):
        prefix = ["unshare", "-m", "sh", "-c", 'mount --bind %s /etc/resolv.conf && exec "$0" "$@"' % resolv]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
        names.bind((address, 53))
        settings = dict(QUICK, AUTHMODULES='"passwd-file http"', HTTP_AUTH_URL="http://hang.example/",
                        HTTP_AUTH_CONNECT_TIMEOUT=500)
        with Alone(**settings).running() as front, front.client() as slow:
            begin = time.monotonic()
            tag = slow.start("LOGIN other secret")
            names.settimeout(10)
            assert b"\x04hang\x07example" in names.recv(512)  # it really asks
            assert try_login(front, "demo", "demo") == "OK"
            assert slow.finish(tag).text.startswith("[UNAVAILABLE]")
            assert try_login(front, "demo", "demo") == "OK" and time.monotonic() - begin < 8


class Authority:
    """A certificate authority with a server's and a client's certificate."""

    def __init__(self, path):
        self.path = str(path)
        self.make("ca", ["-x509", "-subj", "/CN=ca"])
        for name, more in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
            self.make(name, ["-subj", "/CN=" + name])
            with open(self.file(name + ".ext"), "w", encoding="ascii") as f:
                f.write(more + "\n")
            self.openssl("x509", "-req", "-in", self.file(name + ".crt"), "-CA", self.file("ca.crt"), "-CAkey",
                         self.file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", self.file(name + ".ext"),
                         "-out", self.file(name + ".pem"))

    def file(self, name):
        return os.path.join(self.path, name)

    @staticmethod
    def openssl(*command):
        subprocess.run(["openssl", *command], check=True, capture_output=True)

    def make(self, name, more):
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                     self.file(name + ".key"), "-out", self.file(name + ".crt"), *more)

    def context(self, verify=ssl.CERT_REQUIRED):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.file("server.pem"), self.file("server.key"))
        c.load_verify_locations(self.file("ca.crt"))
        c.verify_mode = verify
        return c


def test_tls_with_certificates(tmp_path):
    ca = Authority(tmp_path)
    make_certificate(ca.file("other.pem"))
    with open(ca.file("both.pem"), "w", encoding="ascii") as f:
        for name in ("client.pem", "client.key"):
            with open(ca.file(name), encoding="ascii") as part:
                f.write(part.read())
    good = {"HTTP_AUTH_CA": ca.file("ca.crt"), "HTTP_AUTH_CERT": ca.file("client.pem"), "HTTP_AUTH_KEY": ca.file("client.key")}
    with Endpoint(lambda request: yes(), context=ca.context()) as endpoint:
        for change, wanted in (({}, "OK"), ({"HTTP_AUTH_CERT": ca.file("both.pem"), "HTTP_AUTH_KEY": ""}, "OK"),
                               ({"HTTP_AUTH_CA": ca.file("other.pem.crt")}, "NO [UNAVAILABLE]"), ({"HTTP_AUTH_CA": ""}, "NO [UNAVAILABLE]"),
                               ({"HTTP_AUTH_CERT": "", "HTTP_AUTH_KEY": ""}, "NO [UNAVAILABLE]")):
            with http_front(endpoint, HTTP_AUTH_FORMAT="json", **dict(good, **change)) as front:
                assert try_login(front) == wanted, change
                if wanted == "OK":
                    connections = endpoint.connections
                    assert {try_login(front) for _ in range(5)} == {"OK"} and endpoint.connections == connections


SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"


@pytest.mark.skipif(not ROOT or not os.path.exists(SYSTEM_CA), reason="needs a mount namespace and ca-certificates")
def test_tls_by_the_systems_authorities(tmp_path):
    ca = Authority(tmp_path)

    class Alone(Front):
        prefix = ["unshare", "-m", "sh", "-c", 'mount --bind %s %s && exec "$0" "$@"' % (ca.file("ca.crt"), SYSTEM_CA)]
    with Endpoint(lambda request: says(), context=ca.context(ssl.CERT_NONE)) as endpoint, \
            Alone(**dict(QUICK, AUTHMODULES="http", HTTP_AUTH_URL=endpoint.url())).running() as front:
        assert try_login(front) == "OK"


def test_unusable_file_is_named(tmp_path):
    for name, text in (("HTTP_AUTH_CA", "nothing"), ("HTTP_AUTH_CERT", "-----BEGIN CERT"), ("HTTP_AUTH_CA", None)):
        path = tmp_path / "file.pem"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        done = subprocess.run(
            [os.path.join(BIN, "authd"), "--set", "AUTHMODULES=http", "--set", "HTTP_AUTH_URL=http://127.0.0.1:1/",
             "--set", "%s=%s" % (name, path), "--check"], capture_output=True, text=True, check=False)
        assert done.returncode != 0 and name in done.stderr


def test_secrets_stay_out_of_the_log():
    with Endpoint(lambda request: no(text="no")) as endpoint:
        url = endpoint.url("/auth?key=hunter4")
        with http_front(url, HTTP_AUTH_FORMAT="json", HTTP_AUTH_HEADERS='"X-Key: hunter3"', LOG_LEVEL="debug") as front:
            try_login(front, "demo", "hunter2")
            endpoint.stop()
            try_login(front, "demo", "hunter2")
            assert "http endpoint rests" in front.log() and "hunter" not in front.log()
    with contextlib.suppress(OSError):
        endpoint.stop()
