# Does the same work as bench_client.py between two marks that callgrind sees, so that the instructions between them can be
# counted: folders that cannot be made. Prints one JSON line per piece of work, in the order of the marks.
#
# Usage: micropython count_client.py HOST PORT TLS_PORT CA_FILE MESSAGES
import gc
import json
import os
import sys

from bench_players import Broker, Game
from umqtt import simple, upstream

MESSAGES = int(sys.argv[5])
SIZES = (16, 256, 4096)


def mark():
    try:
        os.mkdir("/umqtt-no-such-folder/mark")
    except OSError:
        pass


def count(game, name, method, size):
    player = game.players[name]
    work = getattr(player, method)
    if method == "receive":
        game.send(player, size, 1 + MESSAGES)
    # The heap is large: nothing is collected while it counts. What fills its small gaps keeps everybody's search for a free
    # place short.
    gc.collect()
    filling = [[] for _ in range(20000)]
    # What is made once and kept.
    work(size, 1)
    mark()
    work(size, MESSAGES)
    mark()
    del filling
    if method == "publish":
        game.settle(player.sock)
    print(json.dumps({"what": game.prefix + method, "size": size, "who": name}))


broker = Broker(*sys.argv[1:5])
for secure in (False, True):
    game = Game(broker, simple, upstream, secure)
    for size in SIZES:
        for method in ("publish", "publish_1", "publish_2", "receive"):
            for name in game.players:
                # umqtt.simple has no QoS 2, and needs 40 ms for a message of QoS 1.
                if name != "upstream" or method in ("publish", "receive"):
                    count(game, name, method, size)
