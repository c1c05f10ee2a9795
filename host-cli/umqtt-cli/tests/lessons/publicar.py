# Un saludo cada cinco segundos: una función conecta, otra publica, y main las usa.
import time
import network
from umqtt.simple import MQTTClient

BROKER = "test.mosquitto.org"
NOMBRE = "placa-del-aula"
TEMA = b"aula/saludo"


def conectar():
    cliente = MQTTClient(NOMBRE, BROKER)
    cliente.connect()
    return cliente


def publicar(cliente, texto):
    cliente.publish(TEMA, texto)


# El bucle.
def main():
    cliente = conectar()
    while True:
        publicar(cliente, b"Hola desde la placa")
        time.sleep(5)


if __name__ == "__main__":
    main()
