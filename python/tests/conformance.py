# Decides whether the client and a real broker agree on one subject, with as many clients as that takes; prints what
# happened, a line each.
#
# Usage: micropython conformance.py HOST PORT qualities|sessions|retained|wills|takeover|identifiers
import sys
import time

from umqtt.simple import MQTTClient

host, port, subject = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Inbox:
    # A client that keeps what it gets, each message with the flags of its packet.
    def __init__(self, name, clean=True, **options):
        self.name, self.options, self.got = name, options, []
        self.client = MQTTClient(name, host, port, timeout=10, **options)
        self.client.set_callback(lambda topic, message: self.got.append([None, topic, message]))
        self.present = self.client.connect(clean)

    def receive(self, count, seconds=5):
        # Serves until so many have come, or so long.
        begun = time.ticks_ms()
        while len(self.got) < count and time.ticks_diff(time.ticks_ms(), begun) < seconds * 1000:
            before = len(self.got)
            first = self.client.wait_msg(0.05)
            if len(self.got) > before:
                self.got[-1][0] = first
        taken, self.got = self.got, []
        return taken

    def quiet(self):
        # Nothing more comes.
        return self.receive(1, 0.15) == []


def settle(client):
    # The broker has taken all that this client has sent.
    client.client.ping()
    while client.client.wait_msg() is not None:
        pass


def qualities():
    # A message arrives with the lower QoS of publisher and subscription (section 3.8.4), once, in order.
    sender = Inbox("sender")
    for subscribed in (0, 1, 2):
        receiver = Inbox("receiver")
        receiver.client.subscribe("quality/%d" % subscribed, subscribed)
        for published in (0, 1, 2):
            sent = [b"%d" % i for i in range(40)]
            for message in sent:
                sender.client.publish("quality/%d" % subscribed, message, qos=published)
            got = receiver.receive(len(sent))
            qos = {first >> 1 & 3 for first, _, _ in got}
            same = [message for _, _, message in got] == sent
            print("published", published, "subscribed", subscribed, "arrives", sorted(qos), same, receiver.quiet())
        receiver.client.disconnect()
    sender.client.disconnect()


def sessions():
    sender = Inbox("sender")
    one = Inbox("keeper", clean=True)
    print("clean session present", one.present)
    one.client.disconnect()
    one = Inbox("keeper", clean=False)
    print("first kept session present", one.present)
    one.client.subscribe("kept", 2)
    one.client.disconnect()
    for qos in (1, 2):
        sender.client.publish("kept", "while away %d" % qos, qos=qos)
    one = Inbox("keeper", clean=False)
    print("kept session present", one.present)
    print("got", [(first >> 1 & 3, message) for first, _, message in one.receive(2)], one.quiet())
    sender.client.publish("kept", "there", qos=2)
    print("still subscribed", [message for _, _, message in one.receive(1)])
    # The link breaks, without a DISCONNECT.
    one.client.sock.close()
    sender.client.publish("kept", "after a break", qos=2)
    print("session present after a break", one.client.connect(False))
    print("got", [message for _, _, message in one.receive(1)], one.quiet())
    one.client.disconnect()
    one = Inbox("keeper", clean=True)
    print("cleaned session present", one.present)
    one.client.disconnect()
    sender.client.publish("kept", "for nobody", qos=1)
    one = Inbox("keeper", clean=False)
    print("session after cleaning present", one.present, one.quiet())
    one.client.disconnect()
    sender.client.disconnect()


def retained():
    sender = Inbox("sender")
    live = Inbox("live")
    live.client.subscribe("kept/+", 2)
    for qos in (0, 1, 2):
        sender.client.publish("kept/%d" % qos, "old", True, qos)
        sender.client.publish("kept/%d" % qos, "new", True, qos)
    settle(sender)
    print("live, retain flags", sorted({first & 1 for first, _, _ in live.receive(6)}))
    late = Inbox("late")
    late.client.subscribe("kept/+", 2)
    got = sorted((topic, message, first & 1, first >> 1 & 3) for first, topic, message in late.receive(3))
    print("late", got, late.quiet())
    for qos in (0, 1, 2):
        sender.client.publish("kept/%d" % qos, "", True)
    settle(sender)
    last = Inbox("last")
    last.client.subscribe("kept/+", 2)
    print("after deleting", last.quiet())


def wills():
    watcher = Inbox("watcher")
    watcher.client.subscribe("will/+", 2)
    for qos in (0, 1, 2):
        for retain in (False, True):
            topic = "will/%d%d" % (qos, retain)
            dying = MQTTClient("dying", host, port)
            dying.set_last_will(topic, "fin", retain, qos)
            dying.connect()
            dying.sock.close()
            got = watcher.receive(1)
            print(topic, [(message, first >> 1 & 3) for first, _, message in got])
            polite = MQTTClient("polite", host, port)
            polite.set_last_will(topic, "never", retain, qos)
            polite.connect()
            polite.disconnect()
    print("none after DISCONNECT", watcher.quiet())
    late = Inbox("late")
    late.client.subscribe("will/+", 2)
    print("retained wills", sorted(topic for _, topic, _ in late.receive(3)), late.quiet())
    for qos in (0, 1, 2):
        watcher.client.publish("will/%d1" % qos, "", True, 1)


def takeover():
    for clean in (True, False):
        first = Inbox("same", clean=clean)
        first.client.subscribe("taken", 1)
        second = Inbox("same", clean=clean)
        try:
            while True:
                first.client.wait_msg(5)
        except OSError as error:
            print("clean", clean, "present", second.present, "the first sees", type(error).__name__)
        second.client.subscribe("taken", 1)
        second.client.publish("taken", "mine", qos=1)
        print("the second gets", [message for _, _, message in second.receive(1)])
        second.client.disconnect()
    Inbox("same", clean=True).client.disconnect()


def identifiers():
    # All 65,535 identifiers and on, both ways at QoS 1: the broker's wrap as well.
    one = MQTTClient("ids", host, port, timeout=10)
    got = [0, 0]

    def arrived(topic, message):
        got[0] += 1
        got[1] += int.from_bytes(message, "big") != got[0]

    one.set_callback(arrived)
    one.connect()
    one.subscribe("ids", 1)
    one.pid = 0
    wrong = wraps = 0
    last = 0
    for i in range(1, 66001):
        pid = one.publish("ids", i.to_bytes(4, "big"), qos=1, wait=False)
        if pid < last:
            wraps += 1
        # In a row; at the wrap those in flight are left out.
        wrong += not (pid == last + 1 or pid <= 16 and last == 65535)
        last = pid
        while i - got[0] > 30:
            one.wait_msg()
    one.flush()
    while got[0] < 66000:
        one.wait_msg(5)
    print("66000 messages: wraps", wraps, "ids out of order", wrong, "messages out of order", got[1])
    # Ten in flight, and the counter put back before them.
    one.pid = 65530
    pids = [one.publish("elsewhere", "x", qos=2, wait=False) for _ in range(8)]
    print(pids)
    one.pid = 65530
    print(one.publish("elsewhere", "x", qos=2, wait=False), one.pending())
    one.flush()
    one.disconnect()


globals()[subject]()
