"""A TCP proxy on loopback that can be a bad network: delayed, silent, half closed, cut."""

import random
import socket
import threading
import time

from postgres import CutProxy


class FaultProxy(CutProxy):
    """`silent`: bytes are kept back as long as it is set; `delay`: seconds at most per piece."""

    def __init__(self, port, seed=0):
        self.silent, self.delay, self.chance = threading.Event(), 0.0, random.Random(seed)
        super().__init__(port)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.join, args=(client,), daemon=True).start()

    def join(self, client):
        """Connects a client; while the server is away only that client is turned away."""
        try:
            server = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with self.mutex:
            self.pairs.append((client, server))
        threading.Thread(target=self.forward, args=(server, client), daemon=True).start()
        self.forward(client, server)

    def forward(self, source, target):
        try:
            while data := source.recv(65536):
                while self.silent.is_set():
                    time.sleep(0.05)
                if self.delay:
                    time.sleep(self.delay * self.chance.random())
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def half_close(self):
        """One direction of every connection ends; the other stays open."""
        with self.mutex:
            pairs = list(self.pairs)
        for pair in pairs:
            try:
                self.chance.choice(pair).shutdown(self.chance.choice((socket.SHUT_RD, socket.SHUT_WR)))
            except OSError:
                pass
