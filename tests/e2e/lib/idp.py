# SPDX-License-Identifier: Apache-2.0
"""An issuer of access tokens of the test's own: keys, tokens, an introspection endpoint that can be ill."""
import base64
import contextlib
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return b64url(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Key:
    """private: of another Key, for algorithms that may share one."""

    def __init__(self, kid, algorithm, private=None):
        self.kid, self.algorithm = kid, algorithm
        if private:
            self.private = private
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        elif algorithm.startswith("ES"):
            self.private = ec.generate_private_key(ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1())
        else:
            self.private = rsa.generate_private_key(65537, 2048)

    def pem(self):
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def jwk(self):
        public = self.private.public_key()
        if self.algorithm == "EdDSA":
            return {"kty": "OKP", "kid": self.kid, "crv": "Ed25519",
                    "x": b64url(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}
        n = public.public_numbers()
        if self.algorithm.startswith("ES"):
            size = public.curve.key_size // 8
            return {"kty": "EC", "kid": self.kid, "crv": "P-%d" % public.curve.key_size, "x": number(n.x, size),
                    "y": number(n.y, size)}
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "n": number(n.n), "e": number(n.e)}


class Idp:
    """with Idp() as idp: ...; idp.mode: "ok", "error", "garbage", "slow", "cut"."""

    ISSUER = "https://id.example"

    def __init__(self, keys=()):
        self.keys, self.mode, self.asked, self.tokens = list(keys), "ok", [], {}
        self.release = threading.Event()  # lets go of what "slow" holds
        idp = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                idp.handle(self, b"")

            def do_POST(self):
                idp.handle(self, self.rfile.read(int(self.headers["Content-Length"])))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    # ---- tokens --------------------------------------------------------------------------------------
    def token(self, user, key=None, headers=None, **claims):
        key, now = key or self.keys[0], int(time.time())
        body = {"iss": self.ISSUER, "aud": "imap", "iat": now, "exp": now + 600, "email": user, "scope": "openid imap"}
        body.update(claims)
        body = {k: v for k, v in body.items() if v is not None}
        return jwt.encode(body, key.private, algorithm=key.algorithm, headers=dict({"kid": key.kid}, **(headers or {})))

    # ---- HTTP -----------------------------------------------------------------------------------------
    def handle(self, h, body):
        path = urllib.parse.urlsplit(h.path)
        self.asked.append((h.command, h.path, dict(h.headers.items()), body.decode()))
        if self.mode == "slow":
            self.release.wait(30)
        if self.mode == "error":
            return self.send(h, 503, "busy")
        if self.mode == "garbage":
            return self.send(h, 200, "<html>please sign in</html>")
        if self.mode == "cut":
            with contextlib.suppress(OSError):
                h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"active\":true")
                h.wfile.flush()
            h.close_connection = True
            return None
        if path.path == "/jwks":
            return self.send(h, 200, json.dumps({"keys": [k.jwk() for k in self.keys]}))
        if path.path == "/introspect":
            token = urllib.parse.parse_qs(body.decode()).get("token", [""])[0]
            return self.send(h, 200, json.dumps(self.tokens.get(token, {"active": False})))
        if path.path == "/userinfo":
            token = h.headers.get("Authorization", "")[len("Bearer "):]
            found = self.tokens.get(token)
            return self.send(h, 200 if found else 401, json.dumps(found or {"error": "invalid_token"}))
        return self.send(h, 404, "")

    def send(self, h, status, text):
        data = text.encode()
        with contextlib.suppress(OSError):
            h.send_response(status)
            h.send_header("Content-Type", "application/json")
            h.send_header("Content-Length", str(len(data)))
            h.end_headers()
            h.wfile.write(data)
