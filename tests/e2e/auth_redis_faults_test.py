# SPDX-License-Identifier: Apache-2.0
"""Redis that is away, slow, or talks nonsense: never OK, never a wrong password (U4, B18)."""
import contextlib
import json
import os
import socket
import subprocess
import time

import pytest

from lib.redis import FakeRedis, Redis
from lib.redisfront import NO, UNAVAILABLE, connected, login, make_front, plain, tcp
from lib.server import BIN, free_port, wait_for


@pytest.fixture(scope="module")
def redis():
    with Redis() as r:
        yield r


GARBAGE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x03\x00\x02\x02\x28", b"*2147483647\r\n", b"*1000000\r\n$1\r\na\r\n",
    b"$999999999999\r\n", b"$1073741824\r\n" + b"x" * 300000, b"*9\r\n$-1\r\n", b"+OK\r\n", b":5\r\n", b"*-1\r\n*-1\r\n",
    b"*9\r\n" + b"*0\r\n" * 9, b"*2\r\n$-1\r\n$-1\r\n", b"-LOADING Redis is loading the dataset in memory\r\n",
    b"-READONLY You can't write against a read only replica.\r\n", b"-BUSY Redis is busy running a script.\r\n",
    b"-MASTERDOWN Link with MASTER is down\r\n", b"-CLUSTERDOWN The cluster is down\r\n", b"-MOVED 1 127.0.0.1:1\r\n",
    b"-MOVED\r\n", b"-MOVED 1 :\r\n", b"-MOVED 1 x:99999999\r\n", b"-ERR\r\n", b"-\r\n", b"-NOAUTH Authentication required.\r\n",
    b"*9\r\n$7\r\n{PLAIN}\r\n" + b"$1\r\n1\r\n" * 7, b"*9\r\n:1\r\n" + b"$-1\r\n" * 7 + b"*1\r\n:1\r\n", Ellipsis, None,
]


@pytest.fixture(scope="module")
def garbage():
    state = {"answer": None}
    with FakeRedis(lambda words: state["answer"]) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_TIMEOUT=400).running() as front:
            yield connected(front), state


@pytest.mark.parametrize("answer", GARBAGE, ids=lambda a: repr(a)[:30])
def test_garbage(garbage, answer):
    """Never OK, never a wrong password; and it is served again as soon as Redis makes sense."""
    front, state = garbage
    state["answer"] = answer
    assert login(front, "demo").startswith(UNAVAILABLE)
    state["answer"] = b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8
    wait_for("good answers", lambda: login(front, "demo") == "OK", 5)
    assert login(front, "demo", "other") == NO


@pytest.mark.parametrize("first", [b"+OK\r\n", b"-ERR max number of clients reached\r\n", b"*1\r\n", b"x" * 100000])
def test_greeted_by_garbage(first):
    with FakeRedis(lambda words: None, first=first) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_TIMEOUT=400).running() as front:
            assert login(front, "demo").startswith(UNAVAILABLE)
            assert len(front.pids("authd")) == 1 and front.log().count("child ended") == 0


def test_answer_in_pieces():
    whole = b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8

    class Slow(FakeRedis):
        def serve(self, sock):
            class Wrap:
                makefile = sock.makefile

                @staticmethod
                def sendall(data):
                    for i in range(len(data)):
                        sock.sendall(data[i:i + 1])
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().serve(Wrap)
    with Slow(lambda words: whole) as fake, make_front("redis://127.0.0.1:%d" % fake.port).running() as front:
        assert login(front, "demo") == "OK"
        assert login(front, "demo", "x") == NO


def test_away_and_back(redis):
    """While Redis is away nobody is told that a password is wrong, others are served by the next module, and
    after the first seconds nobody waits."""
    with Redis() as own:
        own.account("demo", "demo")
        with make_front(tcp(own), AUTHMODULES="redis passwd-file", REDIS_TIMEOUT=500).running() as front:
            with open(front.passwd, "w", encoding="utf-8") as f:
                f.write("local:{PLAIN}local::::::\n")
            wait_for("passwd-file", lambda: login(front, "local") == "OK")
            assert login(front, "demo") == "OK"
            own.kill()
            assert login(front, "demo").startswith(UNAVAILABLE)

            def at_once():
                begin = time.monotonic()
                assert login(front, "demo").startswith(UNAVAILABLE)
                return time.monotonic() - begin < 0.4
            wait_for("a refusal without waiting", at_once)
            begin = time.monotonic()
            for _ in range(20):
                assert login(front, "local") == "OK"
                assert login(front, "demo", "whatever").startswith(UNAVAILABLE)
            assert time.monotonic() - begin < 5  # 40 times 0.5 s, if each had waited
            own.start()
            own.account("demo", "demo")
            begin = time.monotonic()
            wait_for("Redis", lambda: login(front, "demo") == "OK", 10)
            assert time.monotonic() - begin < 4
            # one line or two per fault, not one per login
            assert front.log().count("module unavailable") <= 3


def test_known_users_come_in_while_it_is_away():
    """50 logins a second, Redis gone: who was here before gets in, nobody's password is wrong; then it is back."""
    seconds = 60 if os.environ.get("POSTHOUSE_LONG") else 2
    with Redis() as own:
        users = ["u%d" % i for i in range(10)]
        for user in users + ["new"]:
            own.account(user)
        with make_front(tcp(own), AUTH_CACHE_SIZE=1000, AUTH_CACHE_TTL=0, AUTH_CACHE_NEGATIVE_TTL=0,
                        REDIS_TIMEOUT=500).running() as front:
            wait_for("the subscription", lambda: "kept answers in doubt" in front.log())  # nothing is lost from now on
            assert all(login(front, user) == "OK" for user in users)
            own.kill()
            end, n = time.monotonic() + seconds, 0
            while time.monotonic() < end:
                begin, n = time.monotonic(), n + 1
                assert login(front, users[n % 10]) == "OK"
                for user, password in (("new", "new"), ("nobody", "x"), (users[n % 10], "wrong")):
                    if n % 10 == 0:
                        assert login(front, user, password).startswith(UNAVAILABLE)
                time.sleep(max(0, begin + 0.02 - time.monotonic()))
            own.start()
            for user in users + ["new"]:
                own.account(user)
            begin = time.monotonic()
            wait_for("Redis", lambda: login(front, "new") == "OK", 10)
            assert time.monotonic() - begin < 2
            assert login(front, users[0], "wrong") == NO


def test_frozen(redis):
    """A Redis that takes commands and answers nothing."""
    with Redis() as own:
        own.account("demo")
        with make_front(tcp(own), REDIS_TIMEOUT=300, REDIS_CONNECT_TIMEOUT=300).running() as front:
            assert login(front, "demo") == "OK"
            own.freeze()
            for _ in range(3):  # clients that don't wait
                with front.client() as c:
                    c.start(plain("demo", "demo"))
            assert login(front, "demo").startswith(UNAVAILABLE)
            own.thaw()
            wait_for("Redis", lambda: login(front, "demo") == "OK", 5)


def test_a_lost_look_up_is_asked_again():
    """Once: the server closes instead of answering, then answers."""
    answers = [Ellipsis, b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8]
    with FakeRedis(lambda words: answers.pop(0) if len(answers) > 1 else answers[0]) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port).running() as front:
            assert login(front, "demo") == "OK"
            assert len([w for w in fake.commands if w[0] == b"HMGET"]) == 2


def test_loading():
    """A Redis that is still reading its data set is waited for, and said to be the reason."""
    state = {"ready": False}

    def reply(words):
        if not state["ready"]:
            return b"-LOADING Redis is loading the dataset in memory\r\n"
        return b"+PONG\r\n" if words[0] == b"PING" else b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8
    with FakeRedis(reply, greet=False) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_TIMEOUT=300).running() as front:
            assert login(front, "demo").startswith(UNAVAILABLE)
            assert "LOADING" in front.log()
            state["ready"] = True
            wait_for("Redis", lambda: login(front, "demo") == "OK", 5)


def test_queue_has_a_limit():
    with FakeRedis(lambda words: None) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_QUEUE_MAX=2, REDIS_TIMEOUT=1500).running() as front:
            connected(front)
            clients = [front.client() for _ in range(6)]
            tags = [c.start(plain("u%d" % i, "x")) for i, c in enumerate(clients)]
            assert all(c.finish(t).text.startswith(UNAVAILABLE) for c, t in zip(clients, tags))
            assert len([w for w in fake.commands if w[0] == b"HMGET"]) == 2
            for c in clients:
                c.close()


def test_moved_is_followed_once():
    with Redis() as there:
        there.account("demo")
        for hops in (1, 2):
            with FakeRedis(lambda words: b"-MOVED 5474 127.0.0.1:%d\r\n" % there.port) as here:
                first = here
                with contextlib.ExitStack() as stack:
                    if hops == 2:
                        first = stack.enter_context(FakeRedis(lambda words: b"-MOVED 5474 127.0.0.1:%d\r\n" % here.port))
                    front = stack.enter_context(make_front("redis://127.0.0.1:%d" % first.port).running())
                    assert login(front, "demo").startswith("OK" if hops == 1 else UNAVAILABLE)


def test_a_dead_node_holds_up_only_its_own():
    def reply(words):
        if b"{gone}" in words[1]:
            return b"-MOVED 1 127.0.0.1:%d\r\n" % dead
        return b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8
    dead = free_port()
    with FakeRedis(reply) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, REDIS_TIMEOUT=1500).running() as front:
            connected(front)
            with front.client() as waits:
                tag = waits.start(plain("gone", "demo"))
                wait_for("the command", lambda: [b"HMGET", b"user:{gone}"] in [w[:2] for w in fake.commands])
                for i in range(5):
                    assert login(front, "u%d" % i, "demo") == "OK"
                assert not waits.pending()
                assert waits.finish(tag).text.startswith(UNAVAILABLE)


def test_counts_in_stats(redis):
    redis.account("demo")
    with make_front(tcp(redis)).running() as front:
        connected(front)

        def counts():
            done = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", front.conf, "stats", "--json"], capture_output=True,
                                  text=True, check=False, timeout=30)
            begin = "authd.0.redis_"
            return {row["name"][len(begin):]: int(row["value"]) for row in json.loads(done.stdout)
                    if row["name"].startswith(begin)}
        for _ in range(3):
            assert login(front, "demo") == "OK"
        assert counts() == {"started": 3, "refused": 0, "failed": 0, "again": 0, "lost": 0, "pending": 0, "connected": 1}
        redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        wait_for("the connection", lambda: (counts()["lost"], counts()["connected"]) == (1, 1))
