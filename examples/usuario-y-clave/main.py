# Un broker que no deja entrar a cualquiera: hay que decir quién se es y demostrarlo.
import time
from binascii import hexlify

import machine
import network
from umqtt.simple import MQTTClient, MQTTException

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

# El ordenador en el que está el broker. La placa simulada está en él; en una placa de verdad pon su dirección en la red.
BROKER = "localhost"

# Lo que está en el fichero de contraseñas del broker. No es la contraseña de la Wi-Fi.
USUARIO = "ana"
CLAVE_MQTT = "secreta"

PLACA = hexlify(machine.unique_id()).decode()
TEMA = "aula/" + USUARIO + "/saludo"


def conectar_wifi():
    wifi = network.WLAN(network.STA_IF)
    wifi.active(True)
    if not wifi.isconnected():
        print("Conectando con la red", RED)
        wifi.connect(RED, CLAVE)
        inicio = time.ticks_ms()
        while not wifi.isconnected():
            if time.ticks_diff(time.ticks_ms(), inicio) > 15000:
                raise OSError("la red " + RED + " no responde: revisa RED y CLAVE")
            time.sleep_ms(100)
    print("Conectada, mi dirección es", wifi.ifconfig()[0])


def al_recibir(tema, mensaje):
    try:
        texto = mensaje.decode()
    except UnicodeError:
        texto = mensaje  # No todo lo que se manda es texto.
    print("Recibido en", tema.decode(), "->", texto)


def main():
    conectar_wifi()
    cliente = MQTTClient("usuario-" + PLACA, BROKER, user=USUARIO, password=CLAVE_MQTT, keepalive=60)
    cliente.set_callback(al_recibir)
    try:
        cliente.connect()
    except MQTTException as error:
        # El broker contesta con un número: 4, el usuario o la clave no valen; 5, sin permiso para entrar.
        print("El broker no me deja entrar:", error)
        return
    print("He entrado como", USUARIO)
    cliente.subscribe(b"aula/#")
    print("Escucho aula/#")
    saludos = 0
    siguiente = time.ticks_ms()
    try:
        while True:
            if time.ticks_diff(time.ticks_ms(), siguiente) >= 0:
                siguiente = time.ticks_add(siguiente, 3000)
                saludos += 1
                cliente.publish(TEMA.encode(), "Hola número {}".format(saludos).encode())
            cliente.check_msg()
            time.sleep_ms(50)
    finally:
        cliente.disconnect()


if __name__ == "__main__":
    main()
