# Publica una temperatura cada dos segundos. Cualquiera que se suscriba a TEMA la recibe.
import random
import time
from binascii import hexlify

import machine
import network
from umqtt.simple import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

BROKER = "test.mosquitto.org"

# El número de serie de la placa: con él tu tema no se mezcla con el de otra persona.
PLACA = hexlify(machine.unique_id()).decode()
TEMA = "umqtt/" + PLACA + "/temperatura"


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


def main():
    conectar_wifi()
    cliente = MQTTClient("publicar-" + PLACA, BROKER, keepalive=60)
    cliente.connect()
    print("Publico en", TEMA)
    temperatura = 21.0
    try:
        while True:
            # Una medida inventada: sube o baja un poco cada vez.
            temperatura += random.choice((-0.5, 0.0, 0.5))
            mensaje = "{:.1f}".format(temperatura)
            cliente.publish(TEMA.encode(), mensaje.encode())
            print("Enviado:", mensaje)
            time.sleep(2)
    finally:
        # También cuando se pulsa Ctrl-C: así el broker sabe que nos vamos.
        cliente.disconnect()


if __name__ == "__main__":
    main()
