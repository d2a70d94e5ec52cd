"""A stand-in for the federation's core: its routes and replies as they go over the wire, with state."""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!DOCTYPE html><html><body>app</body></html>"


class Core:
    """Starts on a free loopback port; `down` makes every request fail without an answer."""

    def __init__(self, port=0):
        self.neurons, self.heartbeats, self.commands = {}, [], []
        self.tokens, self.registrations, self.down = {}, 0, False
        self.refused = 0  # requests with a token that is none
        self.takes_analytics, self.analytics = False, []
        self.heartbeat_id = None  # instead of a number
        core = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                core.answer(self, "GET", None)

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                core.answer(self, "POST", self.rfile.read(length))

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def command(self, kind, data=None):
        """Issue a command; returns its record, which shows what became of it."""
        record = {"id": len(self.commands) + 1, "commandId": str(uuid.uuid4()), "commandType": kind,
                  "commandData": data or {}, "priority": 1, "status": "pending", "response": None, "errorMessage": None}
        self.commands.append(record)
        return record

    # ---- replies ----

    def answer(self, request, method, body):
        if self.down:
            request.close_connection = True
            request.connection.close()
            return
        status, reply = self.route(request, method, body)
        data = PAGE if reply is None else json.dumps(reply).encode()
        request.send_response(status)
        request.send_header("Content-Type", "text/html; charset=utf-8" if reply is None
                            else "application/json; charset=utf-8")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def route(self, request, method, body):
        path = request.path.split("?")[0]
        if body is not None and len(body) > 102400:
            return 413, {"message": "request entity too large"}
        try:
            data = json.loads(body) if body else {}
        except ValueError:
            return 400, {"message": "Unexpected token"}
        if (method, path) == ("GET", "/api/status"):
            return 200, {"status": "ok"}
        if (method, path) == ("POST", "/api/api-neurons/register"):
            return self.register(data)
        if path.startswith("/api/api-neurons/") or path == "/api/neuron/config":
            return self.with_token(request, method, path, data)
        return 200, None

    def register(self, data):
        missing = [key for key in ("name", "type", "language", "version", "healthcheckEndpoint", "apiEndpoints",
                                   "authentication", "capabilities") if data.get(key) is None]
        if missing:
            details = [{"code": "invalid_type", "path": [key], "message": "Required"} for key in missing]
            return 400, {"success": False, "error": "Validation error", "details": details}
        self.registrations += 1
        if data["neuronId"] in self.neurons:
            return 500, {"success": False, "error": "Failed to register API neuron"}
        token = "token-" + uuid.uuid4().hex
        self.neurons[data["neuronId"]] = data
        self.tokens[token] = data["neuronId"]
        return 201, {"success": True, "data": {"neuron": {**data, "status": "inactive"}, "token": token}}

    def with_token(self, request, method, path, data):
        header = request.headers.get("Authorization", "")
        if not header.startswith("Bearer "):
            return 401, {"success": False, "error": "Missing or invalid authorization header"}
        if header[7:] not in self.tokens:
            self.refused += 1
            return 401, {"success": False, "error": "Invalid or expired token"}
        if (method, path) == ("POST", "/api/api-neurons/heartbeat"):
            return self.heartbeat(data)
        if (method, path) == ("GET", "/api/api-neurons/commands/pending"):
            return 200, {"success": True, "data": [c for c in self.commands if c["status"] == "pending"]}
        if (method, path) == ("POST", "/api/api-neurons/analytics/report"):
            if self.takes_analytics:
                self.analytics.append(data)
                return 200, {"success": True, "data": {"id": len(self.analytics), "neuronId": "n-1", **data}}
            return 400, {"success": False, "error": "Validation error", "details": [
                {"code": "invalid_type", "expected": "date", "received": "string", "path": ["date"],
                 "message": "Expected date, received string"}]}
        if (method, path) == ("GET", "/api/neuron/config"):
            return 200, {"success": True, "data": {"config": {}, "configVersion": "1.0.0", "status": "active"}}
        parts = path.split("/")
        if method == "POST" and len(parts) == 6 and parts[3] == "commands":
            return self.command_step(parts[4], parts[5], data)
        return 403, {"success": False, "error": "Admin access required"}

    def heartbeat(self, data):
        if not isinstance(data.get("status"), str):
            return 400, {"success": False, "error": "Validation error", "details": [
                {"code": "invalid_type", "path": ["status"], "message": "Required"}]}
        self.heartbeats.append(data)
        pending = sum(c["status"] == "pending" for c in self.commands)
        return 200, {"success": True, "data": {"heartbeatId": self.heartbeat_id or len(self.heartbeats), "pendingCommands": pending,
                                               "timestamp": "2026-11-24T02:33:27.117Z"}}

    def command_step(self, command_id, step, data):
        for command in self.commands:
            if command["commandId"] == command_id:
                if step == "acknowledge":
                    command["status"] = "acknowledged"
                else:
                    command["status"] = "completed" if data.get("success") else "failed"
                    command["response"], command["errorMessage"] = data.get("response"), data.get("errorMessage")
                return 200, {"success": True, "data": command}
        return 404, {"success": False, "error": "Command not found"}
