# Cada vez que se pulsa el botón, un mensaje.
import time
from binascii import hexlify

import machine
import network
from umqtt.simple import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

BROKER = "test.mosquitto.org"

PLACA = hexlify(machine.unique_id()).decode()
TEMA = "umqtt/" + PLACA + "/boton"

# El botón BOOT de la placa está en el pin 0 y, pulsado, lo une a masa. La resistencia PULL_UP lo mantiene en 1 mientras
# nadie pulsa; sin ella el pin no sabría qué valer.
PIN_BOTON = 0

# Un botón rebota: durante unos milisegundos el contacto se abre y se cierra varias veces.
REBOTE_MS = 30


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
    cliente = MQTTClient("boton-" + PLACA, BROKER, keepalive=60)
    cliente.connect()
    boton = machine.Pin(PIN_BOTON, machine.Pin.IN, machine.Pin.PULL_UP)
    print("Pulsa el botón: publico en", TEMA)
    pulsaciones = 0
    estaba = boton.value()
    ultimo_ping = time.ticks_ms()
    try:
        while True:
            ahora = boton.value()
            if ahora != estaba:
                estaba = ahora
                if ahora == 0:
                    pulsaciones += 1
                    cliente.publish(TEMA.encode(), str(pulsaciones).encode())
                    print("Pulsación", pulsaciones)
                time.sleep_ms(REBOTE_MS)
            # Si nadie pulsa durante mucho tiempo, el broker quiere saber que seguimos aquí.
            if time.ticks_diff(time.ticks_ms(), ultimo_ping) > 30000:
                ultimo_ping = time.ticks_ms()
                cliente.ping()
            cliente.check_msg()
            time.sleep_ms(5)
    finally:
        cliente.disconnect()


if __name__ == "__main__":
    main()
