"""Ways to a PostgreSQL: sockets, password files, services, TLS, a pooler between; all of them libpq's own."""

import os
import shutil
import socket
import subprocess
import time


def one(neuron, url, env=None, code=0):
    done = neuron("copy", "--query", "SELECT current_user AS me", url, "-#ndjson", env=env, code=code)
    return done.stdout if code == 0 else done.stderr


def rules(server, text):
    """pg_hba.conf: these rules in front of the ones that trust everybody."""
    path = os.path.join(server.data, "pg_hba.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\nlocal all all trust\nhost all postgres 127.0.0.1/32 trust\n")
    server.psql("SELECT pg_reload_conf()")


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it doesn't happen"
        time.sleep(0.02)


def test_a_unix_socket(neuron, server):
    folder = server.folder.replace("/", "%2F")
    url = f"postgresql://postgres@/postgres?host={folder}&port={server.port}"
    assert one(neuron, url) == '{"me":"postgres"}\n'


def test_password_files_and_services(neuron, server):
    server.psql("CREATE ROLE clerk LOGIN PASSWORD 'se:cret'")
    rules(server, "host all clerk 127.0.0.1/32 scram-sha-256")
    url = f"postgresql://clerk@127.0.0.1:{server.port}/postgres"
    passwords = neuron.write("pass", f"127.0.0.1:{server.port}:*:clerk:se\\:cret\n")
    os.chmod(passwords, 0o600)
    neuron.write("services", f"[mine]\nhost=127.0.0.1\nport={server.port}\nuser=clerk\ndbname=postgres\n")
    wait_for(lambda: server.psql("SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'scram-sha-256'")[0] > "0")
    assert "password" in one(neuron, url, env={"PGPASSFILE": "/nonexistent"}, code=1)
    assert one(neuron, url, env={"PGPASSFILE": passwords}) == '{"me":"clerk"}\n'
    env = {"PGPASSFILE": passwords, "PGSERVICEFILE": os.path.join(neuron.folder, "services")}
    assert one(neuron, "postgresql://?service=mine", env=env) == '{"me":"clerk"}\n'
    assert one(neuron, url.replace("clerk@", "clerk:se%3Acret@")) == '{"me":"clerk"}\n'


def certificate(folder, name):
    key, cert = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".crt")
    subprocess.run(["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-newkey", "rsa:2048", "-subj",
                    "/CN=" + name, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return key, cert


def test_tls_is_checked(neuron, server):
    key, cert = certificate(server.data, "server")
    _, other = certificate(neuron.folder, "other")
    os.chmod(key, 0o600)
    if server.user:
        shutil.chown(key, server.user)
    server.psql(f"ALTER SYSTEM SET ssl_cert_file = '{cert}'; ALTER SYSTEM SET ssl_key_file = '{key}'; "
                "ALTER SYSTEM SET ssl = on;")
    rules(server, "hostssl all tls 127.0.0.1/32 trust\nhostnossl all tls 127.0.0.1/32 reject")
    server.psql("CREATE ROLE tls LOGIN")
    url = f"postgresql://tls@127.0.0.1:{server.port}/postgres?sslmode="
    wait_for(lambda: server.psql("SHOW ssl")[0].strip() == "on")
    assert one(neuron, f"{url}verify-full&sslrootcert={cert}") == '{"me":"tls"}\n'
    assert one(neuron, url.replace("sslmode=", "ssl=") + "require") == '{"me":"tls"}\n'
    assert "certificate verify failed" in one(neuron, f"{url}verify-full&sslrootcert={other}", code=3)
    assert "pg_hba.conf" in one(neuron, url + "disable", code=1)


class Bouncer:
    """A pooler in transaction mode in front of the server."""

    def __init__(self, server, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        path = os.path.join(folder, "bouncer.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[databases]\npostgres = host=127.0.0.1 port={server.port} user=postgres\n[pgbouncer]\n"
                       f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nauth_type = any\n"
                       "pool_mode = transaction\ndefault_pool_size = 4\nunix_socket_dir =\n")
        os.chmod(folder, 0o755)
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        drop = ["setpriv", "--reuid", "nobody", "--clear-groups", "--"] if os.getuid() == 0 else []
        self.process = subprocess.Popen([*drop, program, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers)

    def answers(self):
        assert self.process.poll() is None, "the pooler ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)


def test_a_pooler_in_transaction_mode(neuron, server):
    server.psql("ALTER DATABASE postgres SET IntervalStyle = 'iso_8601'; ALTER DATABASE postgres SET TimeZone = 'Asia/Tokyo'")
    server.psql("CREATE TABLE pooled (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now(), pad text); "
                "INSERT INTO pooled (pad) SELECT repeat('x', 100) FROM generate_series(1, 20000)")
    bouncer = Bouncer(server, server.folder)
    try:
        neuron.write("neuron.yaml", f"""
connections: {{ source: "postgresql://postgres@127.0.0.1:{bouncer.port}/postgres", target: sqlite:///t.db }}
pipelines:
  up: {{ from: source, from_table: pooled, to: target, table: up, mode: upsert, key: [id], incremental: {{ cursor: at }} }}
  all: {{ from: source, from_table: pooled, to: target, table: whole, parallel: 3 }}
""")
        assert neuron.result("etl", "all")["inserted"] == 20000
        assert neuron.result("etl", "up")["inserted"] == 20000
        server.psql("INSERT INTO pooled (pad) VALUES ('new')")
        assert neuron.result("etl", "up")["inserted"] == 1
        # Nothing of ours stays behind in the pooled sessions, and what others set there doesn't matter to us.
        location = f"postgresql://postgres@127.0.0.1:{bouncer.port}/postgres"
        for _ in range(8):
            assert subprocess.run([shutil.which("psql"), location, "-XAtqc", "SHOW IntervalStyle"], check=True,
                                  capture_output=True, text=True).stdout == "iso_8601\n"
        shown = neuron("copy", "--query", "SELECT interval '1 day'::text AS i, at FROM pooled LIMIT 1", location,
                       "-#ndjson").stdout
        assert '"i":"1 day"' in shown and 'Z"}' in shown
        assert "no_such" in neuron("copy", "--from-table", "no_such", location, "-#ndjson", code=1).stderr
    finally:
        bouncer.close()


def test_a_host_that_never_answers(neuron):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        start = time.monotonic()
        url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/postgres?connect_timeout=2"
        assert "no answer from" in one(neuron, url, code=3)
        assert time.monotonic() - start < 15
