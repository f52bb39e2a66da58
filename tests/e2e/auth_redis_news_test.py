# SPDX-License-Identifier: Apache-2.0
"""What hosts tell each other by Redis: accounts that changed, refused logins (N10, U14, O40)."""
import contextlib
import threading
import time

import pytest

from lib.imap import Imap
from lib.redis import FakeRedis, Redis
from lib.redisfront import NO, connected, login, make_front, plain, tcp
from lib.server import BIN, Server, wait_for


@pytest.fixture(scope="module")
def redis():
    with Redis() as r:
        yield r


class Whole(Server):
    close = Server.stop


def test_revoked_by_a_message(redis):
    redis("FLUSHALL")
    redis.account("demo", "old", key="x:user:{%s}")
    with make_front(tcp(redis), REDIS_PREFIX="x:", AUTH_CACHE_SIZE=1000, AUTH_CACHE_TTL=3600).running() as front:
        wait_for("the subscription", lambda: redis("PUBSUB", "NUMSUB", "x:revoke")[1] == 1)
        wait_for("the subscription's news", lambda: "kept answers in doubt" in front.log())
        assert login(front, "demo", "old") == "OK"
        redis.account("demo", "new", key="x:user:{%s}")
        assert login(front, "demo", "old") == "OK"  # kept
        redis("PUBLISH", "x:revoke", "demo")
        wait_for("the news", lambda: "account revoked" in front.log())
        assert login(front, "demo", "old") == NO
        assert login(front, "demo", "new") == "OK"
        for odd in ("", " ", "a\nb", b"\xff", "x" * 300, "nobody"):
            redis("PUBLISH", "x:revoke", odd)
        # a gap: what was kept is dropped
        dropped = front.log().count("kept answers in doubt")
        redis.account("demo", "newer", key="x:user:{%s}")
        redis("CLIENT", "KILL", "TYPE", "pubsub")
        wait_for("the gap", lambda: front.log().count("kept answers in doubt") > dropped)
        assert login(front, "demo", "new") == NO
        assert login(front, "demo", "newer") == "OK"


def test_sessions_end_within_a_second(redis):
    """Password changed and published: the old one is refused, and who came in with it is out."""
    redis("FLUSHALL")
    for user in ("demo", "other"):
        redis.account(user)
    with contextlib.closing(Whole(users=[], AUTHMODULES="redis", REDIS_URL=tcp(redis))) as server:
        server.start()
        sessions = [Imap(server.port).login("demo"), Imap(server.sslport, tls=True).login("demo")]
        stays = Imap(server.port).login("other")
        sessions[0].ok("SELECT INBOX")
        sessions[0].idle()
        redis.account("demo", "changed")
        begin = time.monotonic()
        redis("PUBLISH", "revoke", "demo")
        for c in sessions:
            assert c.closed(10) and b"* BYE" in c.last
        took = time.monotonic() - begin
        assert took < (1 if "san" not in BIN else 5), took
        with Imap(server.port) as c:
            assert c.cmd("LOGIN demo demo").text == NO
            c.login("demo", "changed")
        stays.ok("NOOP")
        for c in sessions + [stays]:
            c.close()


def test_a_herd_of_one_user_asks_once():
    """A thousand connections at once: one command (and one hash)."""
    asked = threading.Event()

    def reply(words):
        asked.wait(20)
        return b"*9\r\n$11\r\n{PLAIN}demo\r\n" + b"$-1\r\n" * 8
    with FakeRedis(reply) as fake:
        with make_front("redis://127.0.0.1:%d" % fake.port, AUTH_CACHE_SIZE=1000, REDIS_TIMEOUT=20000,
                        AUTH_QUEUE_MAX=2000).running() as front:
            connected(front)
            clients = [front.client() for _ in range(300)]
            tags = [c.start(plain("demo", "demo")) for c in clients]
            wait_for("the command", lambda: any(w[0] == b"HMGET" for w in fake.commands))
            asked.set()
            assert all(c.finish(t).ok for c, t in zip(clients, tags))
            assert len([w for w in fake.commands if w[0] == b"HMGET"]) == 1
            for c in clients:
                c.close()


def test_counts_are_shared(redis):
    """Two hosts, one account under attack on the first: the second makes it wait as well, at once."""
    redis("FLUSHALL")
    redis.account("demo", "demo", key="y:user:{%s}")
    more = {"REDIS_PREFIX": "y:", "LIMITS_SHARED": "redis", "LOGIN_PENALTY_MAX": 60000, "LOGIN_PENALTY_FREE": 3,
            "LOGIN_FAILURE_DELAY": 300, "LOGIN_PENALTY_WINDOW": 777}
    with make_front(tcp(redis), **more).running() as one, make_front(tcp(redis), **more).running() as two:
        for f in (one, two):
            connected(f)
        wait_for("subscriptions", lambda: redis("PUBSUB", "NUMSUB", "y:fail")[1] == 2)
        for i in range(4):
            assert login(one, "demo", "wrong%d" % i) == NO
        wait_for("counts", lambda: redis("GET", "y:fail:user:{demo}") == b"4")
        assert redis("GET", "y:fail:ip:127.0.0.1/32") == b"4"
        begin = time.monotonic()
        assert login(two, "demo") == "OK"
        assert time.monotonic() - begin >= 0.3
        assert 0 < redis("TTL", "y:fail:user:{demo}") <= 777 and 0 < redis("TTL", "y:fail:ip:127.0.0.1/32") <= 777
        redis("PUBLISH", "y:revoke", "demo")
        wait_for("forgiven", lambda: redis("EXISTS", "y:fail:user:{demo}") == 0)
