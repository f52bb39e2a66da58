# SPDX-License-Identifier: Apache-2.0
"""Debian's nginx as an IMAP proxy, the reference for what an auth_http endpoint is asked."""
import os
import subprocess
import tempfile
import shutil

from .server import free_port, make_certificate, wait_for

MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"
CONF = """
load_module %(module)s;
daemon off; pid nginx.pid; error_log error.log; worker_processes 1; %(user)s
events { worker_connections 200; }
mail {
    server_name mail.example; auth_http %(endpoint)s; %(headers)s
    imap_auth login plain cram-md5 external; ssl_certificate tls.pem; ssl_certificate_key tls.pem;
    server { listen 127.0.0.1:%(port)d; protocol imap; }
    server { listen 127.0.0.1:%(sslport)d ssl; protocol imap; }
    server { listen 127.0.0.1:%(certport)d ssl; protocol imap; ssl_verify_client optional; ssl_client_certificate client.pem;
             auth_http_pass_client_cert on; }
    server { listen 127.0.0.1:%(proxyport)d proxy_protocol; protocol imap; set_real_ip_from 127.0.0.0/8; }
}
"""


class NginxMail:
    """endpoint: a lib.endpoint.Endpoint; headers: [("X-Secret", "abc")]; client_ca: PEM text."""

    def __init__(self, endpoint, headers=(), path="/auth", client_ca=None):
        self.dir = tempfile.mkdtemp(prefix="ph-nginx.")
        self.port, self.sslport, self.certport, self.proxyport = (free_port() for _ in range(4))
        make_certificate(os.path.join(self.dir, "tls.pem"))
        with open(os.path.join(self.dir, "client.pem"), "w", encoding="ascii") as f:
            f.write(client_ca or open(os.path.join(self.dir, "tls.pem.crt"), encoding="ascii").read())
        with open(os.path.join(self.dir, "nginx.conf"), "w", encoding="utf-8") as f:
            f.write(CONF % {
                "module": MODULE, "endpoint": endpoint.url(path).replace("http://", ""), "port": self.port,
                "headers": " ".join('auth_http_header %s "%s";' % pair for pair in headers), "sslport": self.sslport,
                "certport": self.certport, "proxyport": self.proxyport, "user": "user root;" if os.geteuid() == 0 else ""})
        self.process = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", self.dir, "-c", "nginx.conf", "-e", "error.log"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_for("nginx", lambda: os.path.exists(os.path.join(self.dir, "nginx.pid")))

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)
