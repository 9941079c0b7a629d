"""Payments: authorises amounts up to a limit. Needs nothing but Python itself."""

import json
import os
import signal
import sys
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LIMIT_CENTS = int(os.environ.get("PAYMENT_LIMIT_CENTS", "50000"))


def log(level, message, **more):
    time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({"time": time, "level": level, "message": message, **more}), flush=True)


def authorise(payment):
    """Answers (status, body) for a payment {"user": ..., "amount_cents": ...}."""
    amount = payment.get("amount_cents") if isinstance(payment, dict) else None
    if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
        return 400, {"error": "amount_cents must be a whole number above 0"}
    if amount > LIMIT_CENTS:
        return 402, {"error": f"payment declined: {amount} cents is over the limit of {LIMIT_CENTS}"}
    return 201, {"id": f"pay-{uuid.uuid4().hex[:12]}", "amount_cents": amount, "status": "authorised"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # for a connection on which nothing comes
    wbufsize = -1  # an answer is one packet

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, {"status": "ok"})
        else:
            self.answer(404, {"error": f"no such page: {self.path}"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/payments":
            return self.answer(404, {"error": f"no such page: {self.path}"})
        try:
            payment = json.loads(body)
        except ValueError:
            return self.answer(400, {"error": "the body must be JSON"})
        self.answer(*authorise(payment))

    def answer(self, status, body):
        data = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        if self.path != "/healthz":
            more = {"error": body["error"]} if "error" in body else {}
            log("info" if status < 400 else "warn", f"{self.command} {self.path}", status=status, **more)

    def log_message(self, *_):
        """Silences the base class, which would log each request in its own way."""


server = ThreadingHTTPServer(("", 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
log("info", "listening on port 8080", limit_cents=LIMIT_CENTS)
server.serve_forever()
