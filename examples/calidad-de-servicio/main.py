# Cuántos mensajes llegan con cada calidad de servicio por una red que pierde paquetes.
import time
from binascii import hexlify

import machine
import network
from umqtt.simple import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

BROKER = "test.mosquitto.org"

MENSAJES = 100

PLACA = hexlify(machine.unique_id()).decode()
TEMA = "umqtt/" + PLACA + "/calidad"


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


def conectar(cliente, limpia):
    # Los cortes de después los arregla reconnect; la primera conexión, por una red mala, hay que intentarla hasta que sale.
    while True:
        try:
            cliente.connect(clean_session=limpia)
            return
        except OSError as error:
            print("No consigo conectar, lo intento otra vez:", error)
            time.sleep_ms(500)


def contar(cliente, llegadas, qos):
    # Publica los números 1, 2, 3… con esa calidad y cuenta cuántas veces vuelve cada uno.
    tema = "{}/{}".format(TEMA, qos).encode()
    for numero in range(1, MENSAJES + 1):
        cliente.publish(tema, str(numero).encode(), qos=qos)
        cliente.check_msg()
        time.sleep_ms(20)
    # Lo que aún está en camino llega cuando llega. Con QoS 0 no faltan más si no viene nada en dos segundos; lo que falta
    # con QoS 1 y 2 puede esperar en el broker a que salga bien otra conexión.
    veces = llegadas[qos]
    callado = time.ticks_ms()
    while True:
        paciencia = 10000 if qos > 0 and len(veces) < MENSAJES else 2000
        if time.ticks_diff(time.ticks_ms(), callado) >= paciencia:
            break
        if cliente.check_msg() is not None:
            callado = time.ticks_ms()
        time.sleep_ms(5)
    repetidos = sum(veces.values()) - len(veces)
    print("QoS {}: {} enviados, {} llegan, {} repetidos, {} perdidos".format(
        qos, MENSAJES, len(veces), repetidos, MENSAJES - len(veces)))


def main():
    conectar_wifi()
    # Para cada calidad, cuántas veces ha llegado cada número.
    llegadas = {0: {}, 1: {}, 2: {}}

    def al_recibir(tema, mensaje):
        veces = llegadas[int(tema.split(b"/")[-1])]
        numero = int(mensaje)
        veces[numero] = veces.get(numero, 0) + 1

    # reconnect: si se corta la conexión, conecta otra vez y repite lo que no se confirmó.
    cliente = MQTTClient("calidad-" + PLACA, BROKER, keepalive=60, timeout=10, reconnect=(0.1, 1))
    cliente.set_callback(al_recibir)
    # Una sesión limpia borra lo que quedara de otra vez; la que no lo es sobrevive a los cortes: mientras no estamos, el
    # broker guarda los mensajes de QoS 1 y 2 y recuerda a qué estamos suscritos.
    conectar(cliente, True)
    conectar(cliente, False)
    cliente.subscribe((TEMA + "/#").encode(), qos=2)
    print("Publico y escucho en", TEMA)
    try:
        for qos in (0, 1, 2):
            contar(cliente, llegadas, qos)
    finally:
        try:
            cliente.disconnect()
        except OSError:
            pass  # Se ha cortado justo ahora.


if __name__ == "__main__":
    main()
