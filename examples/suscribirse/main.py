# Se suscribe a un tema y muestra lo que llega. Para que llegue algo, también saluda cada tres segundos.
import time
from binascii import hexlify

import machine
import network
from umqtt.simple import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

BROKER = "test.mosquitto.org"

# El número de serie de la placa: con él tus temas no se mezclan con los de otra persona.
PLACA = hexlify(machine.unique_id()).decode()
TEMA_SALUDO = "umqtt/" + PLACA + "/saludo"
# El signo # vale por todo lo que venga detrás.
FILTRO = "umqtt/" + PLACA + "/#"


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
    # Los dos llegan como bytes; decode() los convierte en texto.
    try:
        texto = mensaje.decode()
    except UnicodeError:
        texto = mensaje  # No todo lo que se manda es texto.
    print("Recibido en", tema.decode(), "->", texto)


def main():
    conectar_wifi()
    cliente = MQTTClient("suscribirse-" + PLACA, BROKER, keepalive=60)
    cliente.set_callback(al_recibir)
    cliente.connect()
    cliente.subscribe(FILTRO.encode())
    print("Escucho", FILTRO)
    saludos = 0
    ultimo = time.ticks_ms()
    try:
        while True:
            # check_msg() mira si ha llegado algo y, si es así, llama a al_recibir().
            cliente.check_msg()
            if time.ticks_diff(time.ticks_ms(), ultimo) >= 3000:
                ultimo = time.ticks_ms()
                saludos += 1
                texto = "Hola número {}".format(saludos)
                cliente.publish(TEMA_SALUDO.encode(), texto.encode())
            time.sleep_ms(50)
    finally:
        # También cuando se pulsa Ctrl-C: así el broker sabe que nos vamos.
        cliente.disconnect()


if __name__ == "__main__":
    main()
