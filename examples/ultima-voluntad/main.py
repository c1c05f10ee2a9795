# Deja dicho al broker qué publicar si la placa se va sin despedirse: su última voluntad.
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
TEMA = "umqtt/" + PLACA + "/estado"


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
    # Si en segundo y medio por cada segundo de keepalive el broker no sabe nada de la placa, la da por perdida.
    cliente = MQTTClient("voluntad-" + PLACA, BROKER, keepalive=4)
    # La voluntad viaja dentro del CONNECT: hay que decirla antes de conectar.
    cliente.set_last_will(TEMA, b"desconectada sin avisar", retain=True)
    cliente.connect()
    cliente.publish(TEMA.encode(), b"conectada", retain=True)
    print("Mi estado está en", TEMA)
    segundos = 0
    try:
        while True:
            time.sleep(1)
            cliente.ping()
            cliente.check_msg()
            segundos += 1
            print("Sigo aquí desde hace", segundos, "s")
    finally:
        # Quien se despide con DISCONNECT no deja voluntad: el broker la olvida.
        cliente.publish(TEMA.encode(), b"desconectada", retain=True)
        cliente.disconnect()


if __name__ == "__main__":
    main()
