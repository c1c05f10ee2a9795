import network
from umqtt.simple import MQTTClient
import time

# configuracion broker MQTT
MQTT_BROKER = "test.mosquitto.org"
MQTT_CLIENT_ID = "micropython_client"
MQTT_TOPIC = b"test/topic"
# conectar MQTT
def connect_mqtt():
    client = MQTTClient(MQTT_CLIENT_ID, MQTT_BROKER)
    client.connect()
    return client
# publicar mensaje
def publish_message(client, message):
    client.publish(MQTT_TOPIC, message)
# main
def main():
    client = connect_mqtt()
    while True:
        publish_message(client, b"Hello from MicroPython!")
        time.sleep(5)

if __name__ == "__main__":
    main()
