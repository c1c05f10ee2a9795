# Lo que comparten los dos programas.

# El broker de este ordenador ("umqtt broker"); uno público es, por ejemplo, test.mosquitto.org.
BROKER = "localhost"
PUERTO = 1883

# En un broker público, cambia "clase" por algo que solo uses tú.
TEMA = "clase/mensajes"
