# Un cliente de paho-mqtt conectado, con la versión 1.6 y con la 2: lo único en lo que se diferencian.
import sys

from paho.mqtt import client as mqtt

from config import BROKER, PUERTO


def conectar(nombre, al_conectar=None, al_recibir=None):
    """Un cliente que se está conectando. al_conectar(cliente) se llama en cada conexión, también tras un corte."""
    if hasattr(mqtt, "CallbackAPIVersion"):
        # paho-mqtt 2 quiere saber para qué versión están escritas las funciones.
        cliente = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=nombre)
    else:
        cliente = mqtt.Client(client_id=nombre)

    # La versión 2 da un argumento más, propiedades de MQTT 5.
    def en_conexion(cliente, datos, banderas, codigo, propiedades=None):
        if codigo == 0:
            print("Conectado con", BROKER, flush=True)
            if al_conectar:
                al_conectar(cliente)
        else:
            print("El broker no me deja entrar:", codigo, file=sys.stderr)
            cliente.disconnect()

    def en_mensaje(cliente, datos, mensaje):
        al_recibir(mensaje.topic, mensaje.payload)

    cliente.on_connect = en_conexion
    if al_recibir:
        cliente.on_message = en_mensaje
    try:
        cliente.connect(BROKER, PUERTO, keepalive=60)
    except OSError as error:
        sys.exit("No hay un broker en {}, puerto {}: {}".format(BROKER, PUERTO, error))
    return cliente
