# A baseline for `umqtt bench` that needs nothing from outside: the native class in a Python one, which has no QoS 2, as
# umqtt.simple 1.3.4, and fails once, early, so that rounds of one message each reach it too on a busy computer.
from umqtt_bench_native import MQTTClient as Native


class MQTTClient(Native):
    count = 0

    def publish(self, topic, msg, retain=False, qos=0):
        assert qos < 2
        MQTTClient.count += 1
        if MQTTClient.count == 5:
            raise OSError(5)
        super().publish(topic, msg, retain, qos)
