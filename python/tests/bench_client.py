# Decides what a message costs against a real broker: in one process, in alternating rounds, our client, umqtt.simple 1.3.4
# and a bare socket that writes prebuilt packets and reads exact lengths. Prints one JSON line per measurement: the
# quartiles of microseconds per message of each.
#
# Usage: micropython bench_client.py HOST PORT TLS_PORT CA_FILE ROUNDS
import gc
import json
import sys
import time

from bench_players import Broker, Game
from umqtt import simple, upstream

ROUNDS = int(sys.argv[5])
SIZES = (16, 256, 4096)


class Bench(Game):
    def round(self, name, method, size, n):
        player = self.players[name.split()[0]]
        if name.endswith(" in one"):
            method = "receive_in_one"
        if method.startswith("receive"):
            self.send(player, size, n)
        begun = time.ticks_us()
        taken = getattr(player, method.split()[0])(size, n)
        if method.startswith("publish") and "_" not in method:
            self.settle(player.sock)
            if method == "publish delivered":
                taken = time.ticks_diff(time.ticks_us(), begun)
        return taken / n

    def measure(self, method, size, n, names, seldom=(), few=0):
        # Rounds are short, so that most of them pass undisturbed, and take turns in who comes first. Who needs long takes
        # part in every tenth, with `few` messages.
        taken = {name: [] for name in names}
        gc.collect()
        for name in names:
            self.round(name, method, size, 2)
        for i in range(ROUNDS):
            for j in range(len(names)):
                name = names[(i + j) % len(names)]
                if name not in seldom:
                    taken[name].append(self.round(name, method, size, n))
                elif i % 10 == 0:
                    taken[name].append(self.round(name, method, size, few))
        result = {"what": self.prefix + method, "size": size}
        for name, values in taken.items():
            values.sort()
            result[name.replace(" ", "_")] = [values[len(values) * k // 4] for k in (1, 2, 3)]
        print(json.dumps(result))


broker = Broker(*sys.argv[1:5])
plain = Bench(broker, simple, upstream, False)
three = ("floor", "ours", "upstream")
two = ("floor", "ours")
for size in SIZES:
    n = 20 if size == 4096 else 100
    plain.measure("publish", size, n, three, ("upstream",), 10 * n)
    plain.measure("publish delivered", size, n, three, ("upstream",), n)
    plain.measure("publish_1", size, 10, three, ("upstream",), 2)
    plain.measure("publish_2", size, 10, two)
    plain.measure("receive", size, n, ("floor", "floor in one", "ours", "upstream"))
secure = Bench(broker, simple, upstream, True)
for size in SIZES:
    n = 20 if size == 4096 else 100
    secure.measure("publish", size, n, two)
    secure.measure("publish_1", size, 10, two)
    secure.measure("publish_2", size, 10, two)
    secure.measure("receive", size, n, ("floor", "floor in one", "ours"))
