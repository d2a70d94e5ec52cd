"""A stand-in for the federation's core, as strict as the real one: its routes, checks, replies and storage."""

import base64
import hashlib
import hmac
import json
import math
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!DOCTYPE html><html><body>app</body></html>"
INT32 = 2147483647
BODY_MAX = 102400
SECRET = b"api-neuron-secret-key"
NUMBERS = ("requestCount", "successfulRequests", "failedRequests", "averageResponseTime", "p95ResponseTime",
           "p99ResponseTime", "totalDataProcessed", "errorRate", "uptime", "cpuUsageAvg", "memoryUsageAvg",
           "diskUsageAvg", "networkBytesIn", "networkBytesOut")


class Refused(Exception):
    """An answer that is not the one that was wanted: status and body."""

    def __init__(self, status, body):
        super().__init__(status, body)
        self.status, self.body = status, body


def now():
    at = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03}Z"


def failed(text):
    return Refused(500, {"success": False, "error": text})


def invalid(*details):
    issues = [{"code": code, "path": [path], "message": message} for path, code, message in details]
    return Refused(400, {"success": False, "error": "Validation error", "details": issues})


def unstorable(value):
    """PostgreSQL refuses U+0000 in any text and a lone surrogate in JSON."""
    if isinstance(value, str):
        return any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, dict):
        return any(unstorable(k) or unstorable(v) for k, v in value.items())
    return isinstance(value, list) and any(map(unstorable, value))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def parse(body):
    """As the core's body parser: no NaN, an object or array at the top."""
    def constant(text):
        raise ValueError(text)
    text = body.decode("utf-8").removeprefix("\ufeff")
    if not text.strip():
        return {}
    if text.strip()[0] not in "{[":
        raise ValueError(text[0])
    return json.loads(text, parse_constant=constant)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Core:
    """Starts on a free loopback port. Faults and states that a test may set:
    `down`: every request ends without an answer; `database_down`: what needs the database is answered 500;
    `fault(method, path, body)`: a callable whose answer (status, body), "drop" (the connection ends) or None (go on) wins."""

    def __init__(self, port=0):
        self.neurons, self.heartbeats, self.commands = {}, [], []
        self.registrations, self.down, self.database_down = 0, False, False
        self.refused = 0  # requests with a token that is none
        self.secret, self.issued = SECRET, []
        self.takes_analytics, self.analytics, self.rows = False, [], {}
        self.heartbeat_id = None  # instead of a number
        self.fault = lambda method, path, body: None
        self.requests = []  # (monotonic time, method, path, status; 0: no answer)
        self.errors = []  # answers 4xx and 5xx that the client brought about: (path, body sent, answer)
        self.lock = threading.RLock()
        core = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5  # idle connections are closed

            def log_message(self, *args):
                pass

            def do_GET(self):
                core.answer(self, "GET")

            def do_POST(self):
                core.answer(self, "POST")

            def do_PUT(self):
                core.answer(self, "PUT")

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

    # ---- for tests ----

    def command(self, kind, data=None, priority=5, neuron=None):
        """Issue a command, to the first neuron that registered where none is named; returns its record,
        which shows what became of it."""
        with self.lock:
            neuron = neuron or next(iter(self.neurons))
            record = {"id": len(self.commands) + 1, "commandId": str(uuid.uuid4()), "neuronId": neuron,
                      "commandType": kind, "commandData": {} if data is None else data, "priority": priority,
                      "status": "pending", "issuedBy": "admin", "issuedAt": now(), "sentAt": None,
                      "acknowledgedAt": None, "completedAt": None, "failedAt": None, "timeoutAt": None,
                      "response": None, "errorMessage": None, "retryCount": 0, "maxRetries": 3, "metadata": None}
            self.commands.append(record)
        return record

    def configure(self, neuron, config, version):
        """What an admin's PUT does."""
        with self.lock:
            row = self.neurons[neuron]
            row["metadata"], row["version"], row["updatedAt"] = {"config": config}, version, now()

    def lose_rows(self):
        """Another database, the same secret: tokens stay good, the rows are gone."""
        with self.lock:
            self.neurons.clear()

    def reports(self):
        """All that heartbeats listed, in order, repeats included."""
        return [r for beat in list(self.heartbeats)
                for r in ((beat.get("applicationMetrics") or {}).get("analytics") or {}).get("reports", [])]

    def asked(self, method, end, since=0.0):
        return [at for at, how, path, _ in list(self.requests) if how == method and path.endswith(end) and at >= since]

    # ---- tokens ----

    def token(self, row):
        claims = {key: row.get(key) for key in ("neuronId", "name", "type", "capabilities")}
        claims |= {"iat": int(time.time()), "exp": int(time.time()) + 31536000, "jti": uuid.uuid4().hex}
        head = b64(b'{"alg":"HS256","typ":"JWT"}') + "." + b64(json.dumps(claims).encode())
        self.issued.append(head + "." + b64(hmac.new(self.secret, head.encode(), hashlib.sha256).digest()))
        return self.issued[-1]

    def holder(self, request):
        """The id in a good token: by its signature alone, whatever became of the row."""
        header = request.headers.get("Authorization", "")
        if not header.startswith("Bearer "):
            raise Refused(401, {"success": False, "error": "Missing or invalid authorization header"})
        head, _, signature = header[7:].rpartition(".")
        good = b64(hmac.new(self.secret, head.encode(), hashlib.sha256).digest())
        if not hmac.compare_digest(good, signature):
            self.refused += 1
            raise Refused(401, {"success": False, "error": "Invalid or expired token"})
        claims = head.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["neuronId"]

    # ---- answers ----

    def answer(self, request, method):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        path = request.path.split("?")[0].rstrip("/") or "/"
        forced = self.fault(method, path, body)
        if self.down or forced == "drop":
            self.requests.append((time.monotonic(), method, path, 0))
            request.close_connection = True
            request.connection.close()
            return
        with self.lock:
            try:
                status, reply = forced or self.route(request, method, path, body)
            except Refused as refused:
                status, reply = refused.status, refused.body
                if status != 401 and not self.database_down:
                    self.errors.append((path, body, reply))
        self.requests.append((time.monotonic(), method, path, status))
        data = PAGE if reply is None else json.dumps(reply).encode()
        request.send_response(status)
        request.send_header("Content-Type", "text/html; charset=utf-8" if reply is None
                            else "application/json; charset=utf-8")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def body(self, request, body):
        kind, _, rest = request.headers.get("Content-Type", "").partition(";")
        if kind.strip().lower() != "application/json":
            return {}
        if "charset" in rest.lower() and "utf-8" not in rest.lower():
            raise Refused(415, {"message": "unsupported charset"})
        if len(body) > BODY_MAX:
            raise Refused(413, {"message": "request entity too large"})
        try:
            return parse(body)
        except ValueError:
            raise Refused(400, {"message": "Unexpected token in JSON"}) from None

    def route(self, request, method, path, body):
        data = self.body(request, body) if method != "GET" else {}
        low = path.lower()
        if (method, low) == ("GET", "/api/status"):
            return 200, {"success": True, "status": "healthy", "timestamp": now(), "server": "running",
                         "database": "connected", "version": "1.0.0"}
        if (method, low) == ("POST", "/api/api-neurons/register"):
            return self.register(data)
        if (method, low) == ("POST", "/api/api-neurons/heartbeat"):
            return self.heartbeat(self.holder(request), data)
        if (method, low) == ("GET", "/api/api-neurons/commands/pending"):
            return self.pending(self.holder(request))
        if (method, low) == ("POST", "/api/api-neurons/analytics/report"):
            return self.report(self.holder(request), data)
        if (method, low) == ("GET", "/api/neuron/config"):
            return self.config(self.holder(request))
        step = re.fullmatch(r"/api/api-neurons/commands/([^/]+)/(acknowledge|complete)", low)
        if method == "POST" and step:
            return self.command_step(self.holder(request), path.split("/")[4], step[2], data)
        if low.startswith("/api/api-neurons/"):
            return self.admin(request, method, path, data)
        return 200, None

    def needs_database(self, text):
        if self.database_down:
            raise failed(text)

    def register(self, data):
        issues = []
        for key, most in (("name", 255), ("type", 100), ("language", 50), ("version", 50), ("healthcheckEndpoint", None),
                          ("neuronId", 100), ("baseUrl", None)):
            value, optional = data.get(key), key in ("neuronId", "baseUrl")
            if value is None and (optional and (key == "baseUrl" or key not in data)):
                continue
            if not isinstance(value, str):
                issues.append((key, "invalid_type", "Required" if key not in data else "Expected string"))
            elif most and len(value) > most:
                issues.append((key, "too_big", f"String must contain at most {most} character(s)"))
        issues += [(key, "invalid_union", "Invalid input") for key in ("apiEndpoints", "authentication", "capabilities")
                   if key not in data]
        issues += [(key, "invalid_type", "Expected date") for key in ("lastHeartbeat", "lastRestartAttempt") if key in data]
        issues += [("maxRestartAttempts", "invalid_type", "Expected integer")
                   for value in [data.get("maxRestartAttempts", 3)] if value is not None and not isinstance(value, int)]
        issues += [("autoRestartEnabled", "invalid_type", "Expected boolean")
                   for value in [data.get("autoRestartEnabled")] if value is not None and not isinstance(value, bool)]
        if issues:
            raise invalid(*issues)
        self.registrations += 1
        neuron = data.get("neuronId") or f"api-neuron-{time.time_ns() // 1000000}"
        nothing = any(data[key] is None for key in ("apiEndpoints", "authentication", "capabilities"))
        if self.database_down or neuron in self.neurons or nothing or unstorable(data):
            raise failed("Failed to register API neuron")
        row = self.neurons[neuron] = {**data, "neuronId": neuron, "status": "inactive", "isActive": True, "updatedAt": now()}
        shown = {key: row[key] for key in ("neuronId", "name", "type", "status", "healthcheckEndpoint", "apiEndpoints")}
        return 201, {"success": True, "data": {"neuron": shown, "token": self.token(row), "instructions": {
            "heartbeat": "POST /api/neuron/status every 60 seconds", "analytics": "POST /api/analytics/report for metrics",
            "commands": "GET /api/api-neurons/commands/pending to fetch commands",
            "config": "POST /api/neuron/update-config for configuration updates"}}}

    def heartbeat(self, neuron, data):
        issues = []
        if not isinstance(data.get("status"), str):
            issues.append(("status", "invalid_type", "Required" if "status" not in data else "Expected string"))
        for key in ("processId", "configVersion", "buildVersion", "errorLog"):
            if key in data and not isinstance(data[key], str):
                issues.append((key, "invalid_type", "Expected string"))
        numbers = {}
        for key in ("healthScore", "uptime"):
            value = data.get(key)
            try:
                numbers[key] = 0 if value is None else float(value)
            except (TypeError, ValueError):
                numbers[key] = math.nan
            if math.isnan(numbers[key]):
                issues.append((key, "invalid_type", "Expected number"))
        if not 0 <= numbers["healthScore"] <= 100:
            issues.append(("healthScore", "too_big", "Number must be less than or equal to 100"))
        if issues:
            raise invalid(*issues)
        text = "Failed to record heartbeat"
        self.needs_database(text)
        neuron = data.get("neuronId", neuron)  # a foreign one is recorded as that neuron's
        lengths = [("status", 50), ("processId", 100), ("configVersion", 50), ("buildVersion", 100)]
        if (neuron not in self.neurons or numbers["uptime"] > INT32 or unstorable(data)
                or any(len(data.get(key, "")) > most for key, most in lengths)):
            raise failed(text)
        kept = {**data, "neuronId": neuron, "timestamp": now(), "healthScore": round(numbers["healthScore"]) or 100}
        self.heartbeats.append(kept)
        self.neurons[neuron]["status"] = data["status"] or "active"
        count = sum(c["status"] == "pending" and c["neuronId"] == neuron for c in self.commands)
        return 200, {"success": True, "data": {"heartbeatId": self.heartbeat_id or len(self.heartbeats),
                                               "pendingCommands": count, "timestamp": kept["timestamp"]}}

    def pending(self, neuron):
        self.needs_database("Failed to fetch pending commands")
        found = [c for c in self.commands if c["status"] == "pending" and c["neuronId"] == neuron]
        return 200, {"success": True, "data": sorted(found, key=lambda c: (-c["priority"], c["issuedAt"], c["id"]))}

    def command_step(self, neuron, command_id, step, data):
        self.needs_database(f"Failed to {step} command")
        command = next((c for c in self.commands if c["commandId"] == command_id and c["neuronId"] == neuron), None)
        if not command:
            return 404, {"success": False, "error": "Command not found"}
        if unstorable(data):
            raise failed(f"Failed to {step} command")
        if step == "acknowledge":
            command["status"], command["acknowledgedAt"] = "acknowledged", now()
        else:
            good = bool(data.get("success"))
            command["status"] = "completed" if good else "failed"
            command["completedAt" if good else "failedAt"] = now()
            command |= {key: data[key] for key in ("response", "errorMessage") if key in data}
        return 200, {"success": True, "data": command}

    def config(self, neuron):
        self.needs_database("Failed to fetch configuration")
        row = self.neurons.get(neuron)
        if not row:
            return 404, {"success": False, "error": "Neuron not found"}
        return 200, {"success": True, "data": {"config": (row.get("metadata") or {}).get("config") or {},
                                               "configVersion": row["version"], "status": row["status"],
                                               "lastUpdate": row["updatedAt"]}}

    def report(self, neuron, data):
        if not self.takes_analytics:
            detail = {"code": "invalid_type", "expected": "date", "received": "string", "path": ["date"],
                      "message": "Expected date, received string"}
            return 400, {"success": False, "error": "Validation error", "details": [detail]}
        for key in NUMBERS:
            value = data.get(key)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or abs(value) > INT32):
                raise invalid((key, "invalid_type", "Expected integer"))
        if "date" in data:
            raise invalid(("date", "invalid_type", "Expected date, received string"))
        self.needs_database("Failed to report analytics")
        if unstorable(data) or neuron not in self.neurons:
            raise failed("Failed to report analytics")
        self.analytics.append({**data, "neuronId": neuron})
        day = time.strftime("%Y-%m-%d", time.gmtime())
        row = self.rows.setdefault((neuron, day), {"id": len(self.rows) + 1, "neuronId": neuron, "date": day + "T00:00:00.000Z"})
        row |= {key: value for key, value in data.items() if key in NUMBERS + ("customMetrics", "alerts", "events")}
        return 200, {"success": True, "data": row}

    def admin(self, request, method, path, data):
        if request.headers.get("X-Admin-Key") != "admin-secret-key":
            return 403, {"success": False, "error": "Admin access required"}
        parts = path.split("/")
        row = self.neurons.get(parts[3])
        if method == "POST" and len(parts) == 5 and parts[4] == "commands":
            if not row:
                return 500, {"success": False, "error": "Failed to issue command"}
            if "commandType" not in data or data.get("commandData") is None:
                return 400, {"success": False, "error": "Validation error", "details": []}
            made = self.command(data["commandType"], data["commandData"], data.get("priority", 1), parts[3])
            return 201, {"success": True, "data": made}
        if not row:
            return 404, {"success": False, "error": "API neuron not found"}
        if method == "PUT":
            row |= data
            row["updatedAt"] = now()
        return 200, {"success": True, "data": row}
