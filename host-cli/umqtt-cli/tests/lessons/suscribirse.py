def message_callback(topic, msg):
    print("Mensaje recibido en el tema {}: {}".format(topic, msg))
client.set_callback(message_callback)
client.subscribe(MQTT_TOPIC)
