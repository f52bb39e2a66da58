# SPDX-License-Identifier: Apache-2.0
"""A front end whose accounts are in Redis, and logins at it."""
import base64
import struct

from .front import Front
from .server import wait_for

NO = "[AUTHENTICATIONFAILED] Login failed."
UNAVAILABLE = "[UNAVAILABLE]"


def make_front(url, **settings):
    """Answers are not kept, unless the test is about that."""
    settings = {"AUTHMODULES": "redis", "REDIS_URL": url, "AUTH_CACHE_SIZE": 0, "LOGIN_FAILURE_DELAY": 0,
                "LOGIN_PENALTY_MAX": 0, "LOGIN_FAILURE_MAX": 1000, **settings}
    return Front(users=[], **{k: '"%s"' % v if isinstance(v, str) and " " in v else v for k, v in settings.items()})


def tcp(redis):
    return "redis://127.0.0.1:%d" % redis.port


def plain(user, password):
    user, password = (x if isinstance(x, bytes) else x.encode() for x in (user, password))
    return "AUTHENTICATE PLAIN " + base64.b64encode(b"\0" + user + b"\0" + password).decode()


def login(front, user, password=None):
    """"OK", or the text of the refusal."""
    with front.client() as c:
        reply = c.cmd(plain(user, user if password is None else password))
        return "OK" if reply.ok else reply.text


def connected(front):
    wait_for("redis", lambda: "redis connected" in front.log())
    return front


def record(front):
    """The user record in the ticket of the last login."""
    ticket, at, out = front.backend.given[-1].ticket, 1 + 16, {}
    for name, number in (("user", 0), ("uid", 1), ("gid", 1), ("home", 0), ("maildir", 0), ("quota", 0), ("options", 0),
                         ("mailhost", 0)):
        value = struct.unpack_from("<I", ticket, at)[0]
        at += 4
        if not number:
            value, at = ticket[at:at + value].decode(), at + value
        out[name] = value
    return out
