# SPDX-License-Identifier: Apache-2.0
"""Replicas, and masters that sentinels name, while logins run (O2)."""
import contextlib
import re
import threading

import pytest

from lib.redis import FakeRedis, Redis, Sentinel
from lib.redisfront import NO, UNAVAILABLE, login, make_front, tcp
from lib.server import free_port, wait_for


@pytest.fixture(scope="module")
def redis():
    with Redis() as r:
        yield r


def test_replicas_are_read():
    with Redis() as master, Redis("replicaof 127.0.0.1 %d" % master.port) as replica:
        master.account("demo", "demo")
        wait_for("replication", lambda: replica("EXISTS", "user:{demo}"))
        with make_front(tcp(master), REDIS_REPLICA_URL=tcp(replica)).running() as front:
            wait_for("both", lambda: front.log().count("redis connected") >= 2)

            def reads(r):
                found = re.search(rb"cmdstat_hmget:calls=(\d+)", r("INFO", "commandstats"))
                return int(found.group(1)) if found else 0
            for _ in range(5):
                assert login(front, "demo") == "OK"
            assert (reads(master), reads(replica)) == (0, 5)
            replica.kill()
            for _ in range(5):
                assert login(front, "demo") == "OK"
            assert reads(master) == 5


def test_replicas_that_lag(redis):
    """After a revocation the master is asked: a replica may not know the new password yet."""
    def reply(words):
        if words[0] == b"ROLE":
            return b"*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:1\r\n"
        return b"*9\r\n$10\r\n{PLAIN}old\r\n" + b"$-1\r\n" * 8
    with FakeRedis(reply) as late:
        redis.account("demo", "new")
        with make_front(tcp(redis), REDIS_REPLICA_URL=tcp(late)).running() as front:
            wait_for("all", lambda: front.log().count("redis connected") >= 3)
            assert login(front, "demo", "old") == "OK"
            redis("PUBLISH", "revoke", "demo")
            wait_for("the news", lambda: "account revoked" in front.log())
            assert login(front, "demo", "old") == NO
            assert login(front, "demo", "new") == "OK"


def test_replicas_that_lost_their_master():
    """They go on answering; nobody is to ask them."""
    with Redis() as master, Redis("replicaof 127.0.0.1 %d" % master.port) as replica:
        master.account("demo", "old")
        wait_for("replication", lambda: replica("EXISTS", "user:{demo}"))
        with make_front(tcp(master), REDIS_REPLICA_URL=tcp(replica)).running() as front:
            wait_for("both", lambda: "as=replica" in front.log() and "as=server" in front.log())
            replica("REPLICAOF", "127.0.0.1", free_port())
            master.account("demo", "new")
            wait_for("the replica's end", lambda: "no replica in touch" in front.log())
            assert login(front, "demo", "old") == NO
            assert login(front, "demo", "new") == "OK"
            replica("REPLICAOF", "127.0.0.1", master.port)
            wait_for("the replica", lambda: front.log().count("as=replica") == 2)
            assert login(front, "demo", "new") == "OK"


def run_logins(front, stop, users, results):
    n = 0
    while not stop.is_set():
        user = users[n % len(users)]
        wrong = n % 5 == 4
        n += 1
        with contextlib.suppress(OSError, EOFError):
            results.append((wrong, login(front, user, user + "x" if wrong else user)))


def judged(results):
    """How many got in, were refused, were asked to come again; nobody may be answered wrongly."""
    got = {"OK": 0, "NO": 0, "UNAVAILABLE": 0}
    for wrong, text in results:
        kind = "OK" if text == "OK" else "NO" if text == NO else "UNAVAILABLE"
        assert kind != "UNAVAILABLE" or text.startswith(UNAVAILABLE), text
        assert kind != ("OK" if wrong else "NO"), (wrong, text)
        got[kind] += 1
    return got


@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize("replicas", [0, 1])
def test_failover(replicas, planned):
    """The master is killed (or demoted) while logins run: each is answered rightly or [UNAVAILABLE], and soon all are."""
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(Redis())
        replica = stack.enter_context(Redis("replicaof 127.0.0.1 %d" % master.port))
        users = ["u%d" % i for i in range(5)]
        for user in users:
            master.account(user)
        wait_for("replication", lambda: replica("DBSIZE") == 5)
        sentinel = stack.enter_context(Sentinel(master.port, password="wachter"))
        wait_for("the replica's name", lambda: sentinel("SENTINEL", "replicas", "mail"))
        dead = free_port()
        front = stack.enter_context(make_front(
            "redis+sentinel://127.0.0.1:%d,127.0.0.1:%d/mail?sentinel_password=wachter" % (dead, sentinel.port), REDIS_READ_FROM_REPLICAS=replicas,
            AUTH_THREADS=1).running())
        wait_for("the master", lambda: "as=master" in front.log())
        stop, results, threads = threading.Event(), [], []
        for _ in range(3):
            threads.append(threading.Thread(target=run_logins, args=(front, stop, users, results)))
            threads[-1].start()
        try:
            wait_for("logins", lambda: len(results) > 20)
            if planned:
                sentinel("SENTINEL", "FAILOVER", "mail")
            else:
                master.kill()
            wait_for("failover", lambda: sentinel.master() == replica.port, 20)
            wait_for("the new master", lambda: front.log().count("as=master") >= 2, 10)
            seen = len(results)
            wait_for("logins", lambda: len(results) > seen + 20)
        finally:
            stop.set()
            for t in threads:
                t.join()
        got = judged(results)
        assert got["OK"] > 10 and got["NO"] > 2
        assert judged(results[-9:])["UNAVAILABLE"] == 0
        # what is written from now on is found
        replica.answers()
        replica.account("late")
        assert login(front, "late") == "OK"
        # and news come from there
        wait_for("a subscriber", lambda: replica("PUBLISH", "revoke", "late") > 0)
        wait_for("the news", lambda: "account revoked user=late" in front.log())
